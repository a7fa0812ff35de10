"""The receiving end of a link: messages put together from their frames, credit, and what they are told (2.6.7, 2.6.12).

The peer has credit for as many messages as may be under way, which are those that aren't settled, and those that nobody
has taken yet.  New credit is given when half of it can be.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from warren.adapters.amqp10.codec import quick
from warren.adapters.amqp10.codec.composites import encode_composite
from warren.adapters.amqp10.codec.errors import INTERNAL_ERROR
from warren.adapters.amqp10.codec.performatives import Error, Flow, Transfer
from warren.adapters.amqp10.codec.termini import Rejected
from warren.adapters.peers.errors import PeerError

_IDS: Final = 0xFFFF_FFFF

MESSAGE_BYTES_MAX: Final = 512 * 1024 * 1024
"""A message in many frames that never ends fills the memory; RabbitMQ takes none that is larger."""

REJECTED: Final = encode_composite(Rejected(Error(INTERNAL_ERROR, "the message can't be used")))


class Received:
    """A message that came.  settled: the peer wants to hear nothing of it."""

    __slots__ = ("data", "delivery_id", "settled")

    def __init__(self, delivery_id: int, data: bytes, *, settled: bool) -> None:
        self.delivery_id = delivery_id
        self.data = data
        self.settled = settled


class Receiving:
    """arrived: for who drives the client to take out, and to say so (`taken`).

    write: sends bytes.  tell: sends a flow, with the session's state.
    """

    def __init__(
        self, handle: int, credit_max: int, write: Callable[[bytes], None], tell: Callable[[Flow], None]
    ) -> None:
        self.arrived: deque[Received] = deque()
        self._handle = handle
        self._credit_max = credit_max
        self._write = write
        self._tell = tell
        self._credit = 0
        self._under_way = 0
        self._delivery_count = 0
        self._parts: list[bytes] = []
        self._bytes = 0
        self._delivery_id: int | None = None
        self._settled = False

    def begin(self, delivery_count: int) -> None:
        """The link is attached.  delivery_count: the peer's."""
        self._delivery_count = delivery_count
        self._give()

    def transfer(self, transfer: Transfer, payload: bytes) -> None:
        """A frame of a message."""
        if self._delivery_id is None:
            if transfer.delivery_id is None:
                raise PeerError("the peer began a delivery without a number")
            self._delivery_id = transfer.delivery_id
            self._settled = False
            self._credit -= 1
            self._delivery_count = (self._delivery_count + 1) & _IDS
        self._settled = self._settled or bool(transfer.settled)
        if transfer.aborted:
            self._forget()
            self._give()
            return
        self._bytes += len(payload)
        if self._bytes > MESSAGE_BYTES_MAX:
            raise PeerError(f"the peer sent a message of more than {MESSAGE_BYTES_MAX} bytes")
        self._parts.append(payload)
        if not transfer.more:
            self.arrived.append(Received(self._delivery_id, b"".join(self._parts), settled=self._settled))
            self._under_way += 1
            self._forget()

    def taken(self) -> None:
        """All that had come has been taken out: what the peer had settled itself makes room."""
        self._give()

    def settled_by_peer(self, count: int) -> None:
        """So many of those taken out needed no answer."""
        self._under_way -= count
        self._give()

    def accept(self, first: int, last: int, count: int) -> None:
        """Messages from this number to that are safe; `count` of them are this link's."""
        self._settle(first, last, count, quick.ACCEPTED_BYTES)

    def reject(self, number: int) -> None:
        """A message can't be used."""
        self._settle(number, number, 1, REJECTED)

    def flow(self, flow: Flow) -> None:
        """The peer tells its state; one that asks is told ours."""
        if flow.echo:
            self._say()

    # Below

    def _settle(self, first: int, last: int, count: int, state: bytes) -> None:
        self._write(quick.disposition(0, receiver=True, first=first, last=last, state=state))
        self._under_way -= count
        self._give()

    def _forget(self) -> None:
        self._parts = []
        self._bytes = 0
        self._delivery_id = None

    def _give(self) -> None:
        room = self._credit_max - self._under_way - self._credit
        if room >= (self._credit_max + 1) // 2:
            self._credit += room
            self._say()

    def _say(self) -> None:
        made = Flow()
        made.handle = self._handle
        made.delivery_count = self._delivery_count
        made.link_credit = self._credit
        self._tell(made)
