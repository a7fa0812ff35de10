"""What a selector is, whatever language it is written in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.compiled import mypyc_attr

if TYPE_CHECKING:
    from warren.core.selectors.fields import Fields


class SelectorError(ValueError):
    """An expression can't be understood, or is too long; the text says what is wrong, and where."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Selector:
    """work: what the latest answer took; 100 of it are some 10 µs."""

    __slots__ = ("work",)

    def __init__(self) -> None:
        self.work = 0

    @property
    def text(self) -> str:
        """What it asks for: two with the same text want the same."""
        return ""

    @property
    def depends_on_time(self) -> bool:
        """True when its answer to the same fields may be another one later."""
        return False

    def matches(self, fields: Fields) -> bool:
        """Whether the consumer wants this message; bounded in time."""
        return True
