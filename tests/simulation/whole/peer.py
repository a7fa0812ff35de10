"""What clients of all protocols have in common here: bytes that reach the broker in pieces, and answers read in pieces.

A peer writes frames, each with what is known once the broker has read all of it.  How much of that reaches the broker,
how much of what the broker sent is read, and when the connection breaks, others decide (run.py).
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from tests.simulation.whole.ledger import Copy, Holder, Message, Transaction

if TYPE_CHECKING:
    from tests.simulation.whole.ledger import Ledger
    from tests.simulation.whole.machine import Machine
    from tests.support.simulated_transport import SimulatedTransport

SIZES: Final = (0, 1, 20, 20, 200, 200, 900, 5000)
"""Of bodies, in bytes; the largest takes several frames, and more than a page of the disk."""

CLASSIC: Final = ("c0", "c1")
QUORUM: Final = ("q0",)
QUEUES: Final = (*CLASSIC, *QUORUM)
"""What clients of AMQP and STOMP publish to and consume from."""

FANOUT: Final = "f"
FANNED: Final = ("c0", "q0")
"""An exchange, and where it leads to."""

IN: Final = "in"
OUT: Final = "out"
"""From the one to the other, a bridge moves messages."""

FROM_MQTT: Final = "m"
"""The queue that gets what is published by MQTT; STOMP's consumer reads it as well."""

TOPIC: Final = "t/1"
TOPIC_KEY: Final = "t.1"
STREAM: Final = "s0"


class World:
    """What peers share: the broker, the promises, and the trace, to which everything that is seen is added."""

    def __init__(self, machine: Machine, ledger: Ledger, trace: Callable[[str], None]) -> None:
        self.machine = machine
        self.ledger = ledger
        self.trace = trace
        self.stream_log: dict[int, int] = {}
        self.stream_confirmed: dict[int, int] = {}
        self.is_calm = False


class Unexpected(AssertionError):
    """The broker said what nobody had given it a reason to say."""


class Peer:
    """See the head of this file.

    transport: None while there is no connection.  closing: the peer has said goodbye, so that the connection may end.
    recent, recent_settled, recent_transactions: what the broker has read, and may not have looked at.
    """

    is_stream = False
    keeps_something = True
    """Whether it has to come back in the end, to finish what it has begun."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.ledger = world.ledger
        self.name = name
        self.transport: SimulatedTransport | None = None
        self.connections = 0
        self.closing = False
        self.recent: list[Message] = []
        self.recent_settled: list[Copy] = []
        self.recent_transactions: list[Transaction] = []
        self._unsent: deque[tuple[bytes, Callable[[], None] | None]] = deque()
        self._fed_of_first = 0
        self._inbox = b""

    # For who drives it

    def do(self, chance: random.Random) -> None:
        """Something that a client might do now."""
        if self.transport is None:
            self.connect()
        else:
            self.work(chance)

    def connect(self) -> None:
        """Open a connection, and say hello."""
        self.transport = self.world.machine.accept(is_stream=self.is_stream)
        self.connections += 1
        self.closing = False
        self._inbox = b""
        self.hello()

    def feed(self, size: int | None) -> bool:
        """Let so many bytes of what was written reach the broker, None for all; whether any did."""
        transport = self.transport
        if transport is None or transport.closed or transport.closing or not self._unsent or transport.paused:
            return False
        data = bytearray()
        done: list[Callable[[], None]] = []
        while self._unsent and (size is None or len(data) < size):
            first, call = self._unsent[0]
            left = len(first) - self._fed_of_first
            count = left if size is None else min(left, size - len(data))
            data += first[self._fed_of_first : self._fed_of_first + count]
            if count < left:
                self._fed_of_first += count
                break
            self._fed_of_first = 0
            self._unsent.popleft()
            if call is not None:
                done.append(call)
        transport.receive(bytes(data))
        for call in done:
            call()
        return True

    def read(self, size: int | None) -> bool:
        """Read so many bytes of what came, None for all; whether there were any."""
        transport = self.transport
        if transport is None:
            return False
        self._inbox += transport.take()
        if transport.closed:
            # What it had was given back: what is still to be read is of the past.
            self.over()
        piece = self._inbox if size is None else self._inbox[:size]
        self._inbox = self._inbox[len(piece) :]
        if piece:
            self.parse(piece)
        if transport.closed and not self._inbox:
            if not self.closing:
                self.world.trace(f"{self.name} was closed")
                self.refused()
            self._end()
        return bool(piece)

    def slow_down(self, room: int | None) -> None:
        """Take only so many bytes more from now on; None for any number."""
        if self.transport is not None and not self.transport.closing and not self.transport.closed:
            if self.transport.socket_room is not None and room is not None:
                return
            self.transport.read_by_peer(room)

    def lose(self) -> None:
        """The connection breaks."""
        if self.transport is not None:
            self.transport.lose()
            self._end()

    def forget(self) -> None:
        """The broker is gone, and the connection with it."""
        if self.transport is not None:
            self._end()

    def rested(self) -> None:
        """The broker has looked at all that it has read."""
        self.recent.clear()
        self.recent_settled.clear()
        self.recent_transactions.clear()

    @property
    def is_behind(self) -> bool:
        """Whether something that was written isn't read."""
        return bool(self._unsent)

    # For subclasses

    def hello(self) -> None:
        """Say what a connection begins with."""
        raise NotImplementedError

    def work(self, chance: random.Random) -> None:
        """Do something on the open connection."""
        raise NotImplementedError

    def parse(self, data: bytes) -> None:
        """Take what came, cut anywhere."""
        raise NotImplementedError

    def over(self) -> None:
        """There is no connection any more: whatever was held isn't."""
        raise NotImplementedError

    def refused(self) -> None:
        """The broker has closed the connection by itself."""
        raise Unexpected(f"{self.name} was closed by the broker")

    def drain(self) -> None:
        """All faults are over: take what there is to take until the end."""

    def finish(self) -> None:
        """At the very end, hold what came against what was promised."""

    def write(self, data: bytes, then: Callable[[], None] | None = None) -> None:
        """Have bytes to send; `then` is called once the broker has read them all."""
        self._unsent.append((data, then))

    def body_size(self, chance: random.Random) -> int:
        """For another message."""
        return chance.choice(SIZES)

    def was_read(self, message: Message) -> None:
        """The broker has read a message."""
        self.ledger.sent(message)
        self.recent.append(message)

    def was_settled(self, copies: list[Copy]) -> None:
        """The broker has read an acknowledgement."""
        self.ledger.settled(copies)
        self.recent_settled += copies

    def was_committed(self, transaction: Transaction) -> None:
        """The broker has read a commit."""
        self.ledger.committed(transaction)
        self.recent_transactions.append(transaction)

    def _end(self) -> None:
        self.transport = None
        self._unsent.clear()
        self._fed_of_first = 0
        self._inbox = b""
        self.ledger.doubt(self.recent)
        self.ledger.doubt_settled(self.recent_settled)
        for transaction in self.recent_transactions:
            self.ledger.doubt_transaction(transaction)
        self.rested()
        self.over()


def some(chance: random.Random, number_of: int) -> int:
    """How many of so many, at least one."""
    return chance.randint(1, number_of)


def holder_of(peer: Peer, what: str) -> Holder:
    """One that is named after its connection."""
    return Holder(f"{peer.name}.{peer.connections}.{what}")
