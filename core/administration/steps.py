"""Work on many objects that is done in slices, so that a long listing doesn't hold up the messages.

Core knows no clock: a slice is so many rows or cells, chosen to take two or three milliseconds.  Who drives the work
gives way to the broker between two slices (`warren.gateway.turns`), or calls `finish` where nobody waits.  Objects may
come and go in between; each work says what that means for its result.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, Generic, TypeVar, cast

Result = TypeVar("Result")

SLICE_CELLS: Final = 2000
"""Values computed, or objects looked at, in one slice: about a microsecond each, and now and then a few."""


_NOT_YET: Final = object()


class Steps(Generic[Result]):
    """Work that a generator does: it yields at the end of each slice and returns the result."""

    __slots__ = ("_result", "_work")

    def __init__(self, work: Generator[None, None, Result]) -> None:
        self._work = work
        self._result: object = _NOT_YET

    def step(self) -> bool:
        """Do one slice; False when that was the last one.  Raises what the work raises."""
        try:
            next(self._work)
        except StopIteration as end:
            if self._result is _NOT_YET:
                self._result = end.value
            return False
        return True

    @property
    def result(self) -> Result:
        """What came of it; LookupError before `step` has returned False."""
        if self._result is _NOT_YET:
            raise LookupError("the work is not done yet")
        return cast("Result", self._result)

    def rest(self) -> Generator[None, None, Result]:
        """All its slices, as a part of longer work."""
        while self.step():
            yield
        return self.result

    def finish(self) -> Result:
        """Do the rest at once."""
        while self.step():
            pass
        return self.result
