"""Errors that cross the edge of a nursery."""

from __future__ import annotations

from warren.core.errors import StorageError


def sole_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error that nurseries wrapped, however deep, or the whole group when there are several.

    When a disk fails, several tasks tend to run into it, and so does what tidies up after them: of nothing but
    StorageErrors and the system's own errors, the first StorageError stands for all.
    """
    leaves = _leaves(group)
    if len(leaves) == 1:
        return leaves[0]
    told = [leaf for leaf in leaves if isinstance(leaf, StorageError)]
    if told and all(isinstance(leaf, StorageError | OSError) for leaf in leaves):
        return told[0]
    return group


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for inner in group.exceptions:
        found.extend(_leaves(inner) if isinstance(inner, BaseExceptionGroup) else [inner])
    return found
