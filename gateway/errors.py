"""Errors that cross the edge of a nursery."""

from __future__ import annotations


def sole_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error that nurseries wrapped, however deep, or the whole group when there are several."""
    inner: BaseException = group
    while isinstance(inner, BaseExceptionGroup) and len(inner.exceptions) == 1:
        inner = inner.exceptions[0]
    return group if isinstance(inner, BaseExceptionGroup) else inner
