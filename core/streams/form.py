"""How a message is written into a stream, and what it is when it is read: as in AMQP 1.0, says the protocol of streams.

Core knows no protocol, so who can do it makes itself known by `use_form`; it is loaded when the first stream is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.messages.properties import Properties
    from warren.core.queues.base import Queue
    from warren.core.selectors.fields import Fields


class Record(NamedTuple):
    """A message as it is read.

    exchange, routing_key: where it was published to; None for one that a client of streams wrote, and that says nothing
    of it.  body_at: where the body begins in the record, if it ends with it, so that a record of the same size which is
    the same up to there is the same message but for the body; 0 for any other.
    """

    exchange: str | None
    routing_key: str | None
    properties: "Properties"
    body: bytes
    body_at: int = 0


class Form(Protocol):
    """Messages as records, and the other way round."""

    def encode(self, queue: Queue, message: Message) -> bytes:
        """A message that is published to this stream, as a record."""

    def front(self, queue: Queue, message: Message) -> bytes:
        """What stands in front of the body in the record of a message, and of all that have another body of its size.

        Empty where there is more to a record than that.
        """

    def fields(self, record: bytes, now_ms: int) -> Fields:
        """What a selector may look at in a record; nothing in one that nobody can read."""

    def decode(self, record: bytes) -> Record:
        """The message of a record; one that nobody can read has the record itself as its body."""


_loaders: list[Callable[[], Form]] = []
_forms: list[Form] = []


def use_form(load: Callable[[], Form]) -> None:
    """Have streams written in this form."""
    _loaders[:] = [load]
    _forms.clear()


def form() -> Form:
    """The form of streams.  Raises RuntimeError where nobody has made one known."""
    if not _forms:
        if not _loaders:
            raise RuntimeError("nobody has said how messages are written into streams (core.streams.form.use_form)")
        _forms.append(_loaders[0]())
    return _forms[0]
