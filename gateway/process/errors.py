"""Errors that cross the edge of a nursery."""

from __future__ import annotations

from warren.core.errors import StorageError


def sole_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error that nurseries wrapped, however deep, or the whole group when there are several.

    When a disk fails, several tasks tend to run into it: of nothing but StorageErrors, the first stands for all.
    """
    leaves = _leaves(group)
    if len(leaves) == 1 or all(isinstance(leaf, StorageError) for leaf in leaves):
        return leaves[0]
    return group


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for inner in group.exceptions:
        found.extend(_leaves(inner) if isinstance(inner, BaseExceptionGroup) else [inner])
    return found
