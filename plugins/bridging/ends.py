"""What a pump wants of the two ends of a link, and of what is changed in messages between them.

A source gives messages in batches and is told which are done with; a destination takes messages under numbers and says
later what became of them.  Whatever ends an end is a PeerError, in words that a status can show.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from warren.adapters.peers.settled import Settled
    from warren.core.messages.properties import Properties


class Arrived(Protocol):
    """A message from a source."""

    @property
    def exchange(self) -> str: ...
    @property
    def routing_key(self) -> str: ...
    @property
    def properties(self) -> Properties: ...
    @property
    def body(self) -> bytes: ...


Message = TypeVar("Message", bound=Arrived)


class Outcome(NamedTuple):
    """What became of a message, or of all up to it.  refused: why the destination doesn't take it; None if it does.

    passing: it takes nothing just then, whatever the message is.
    """

    number: int
    multiple: bool
    refused: str | None
    passing: bool = False


def outcomes_of(settled: Iterable[Settled]) -> list[Outcome]:
    """What a client half says of messages one by one."""
    return [Outcome(number, False, refused) for number, refused in settled]


Rewritten = TypeVar("Rewritten", bound=Arrived, contravariant=True)


class Rewriting(Protocol[Rewritten]):
    """What is changed in a message on its way."""

    def address(self, message: Rewritten) -> tuple[str, str]:
        """The exchange and the routing key that it is published with."""

    def properties(self, message: Rewritten) -> Properties:
        """Its properties on the way out."""


class Source(Protocol[Message]):
    """waiting: messages in the queue when it was opened, None for an exchange."""

    waiting: int | None

    async def receive(self) -> Sequence[Message]:
        """What has come, at least one message."""

    def ack(self, message: Message) -> None:
        """This message, and all before it, are done with."""

    def ack_alone(self, message: Message) -> None:
        """This message alone is done with, though one before it isn't; nothing, where the protocol can't say that.

        Asked when nothing more is moved, so that the message doesn't come again.
        """


@runtime_checkable
class Rejecting(Protocol):
    """A source whose messages may be given back as ones that can't be used."""

    def reject(self, message: Any) -> None:
        """This message can't be used: whoever keeps the source dead-letters it, or drops it."""


class Destination(Protocol):
    """blocked: why it takes nothing now, None if it does."""

    @property
    def blocked(self) -> str | None: ...

    async def ready(self) -> None:
        """Wait until a batch may be published."""

    def publish(self, message: Arrived, exchange: str, routing_key: str, properties: Properties) -> int:
        """Send a message, with this address and these properties; its number.

        Raises ValueError, in words, for one that can't be sent there at all.
        """

    def flush(self) -> None:
        """The batch is whole."""

    async def wait_ended(self) -> None:
        """Return never; PeerError when there is no destination any more."""

    async def outcomes(self) -> Sequence[Outcome]:
        """What became of messages, at least one of them, in the order in which it was told."""
