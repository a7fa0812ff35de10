"""Which of several errors a broker ends with."""

from __future__ import annotations

import pytest

from warren.core.errors import StorageError
from warren.gateway.process.errors import sole_error

DISK = StorageError("the message log can't be written")
OTHER = StorageError("the definitions can't be written")
SYSTEM = OSError(5, "Input/output error")
BUG = KeyError("a bug")

GROUPS: list[tuple[list[BaseException], BaseException | None]] = [
    ([BUG], BUG),
    ([SYSTEM], SYSTEM),
    ([DISK, OTHER], DISK),
    ([SYSTEM, DISK], DISK),
    ([ExceptionGroup("inner", [SYSTEM, SYSTEM]), ExceptionGroup("inner", [OTHER])], OTHER),
    ([DISK, BUG], None),
    ([SYSTEM, SYSTEM], None),
    ([SYSTEM, BUG], None),
]


@pytest.mark.parametrize(("errors", "expected"), GROUPS)
def test_what_stands_for_a_group(errors: list[BaseException], expected: BaseException | None) -> None:
    group = BaseExceptionGroup("of a nursery", errors)
    assert sole_error(group) is (group if expected is None else expected)
