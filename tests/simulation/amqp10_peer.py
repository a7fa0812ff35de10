"""An AMQP 1.0 client of the simulation: it writes frames, and keeps the books that any client of AMQP 1.0 keeps.

What came is sorted: deliveries, for the model to judge; outcomes of what was sent, each of which must be awaited, of
the kind that is due, and no earlier than on disk where that was promised; answers to what it had settled without the
last word; ends of links, which must have been expected.  Nothing may come that is none of these.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from tests.support.simulated_amqp10 import Amqp10Client, Frame, annotations_of, body_of, messages
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp10.codec.composites import encode_composite
from warren.adapters.amqp10.codec.framing import frame_of
from warren.adapters.amqp10.codec.performatives import Attach, Begin, Detach, Disposition, End, Flow, Transfer
from warren.adapters.amqp10.codec.termini import Rejected, TransactionalState
from warren.adapters.amqp10.codec.values import Symbol
from warren.adapters.amqp10.settings import Amqp10Settings

SESSIONS = 2
LINK_CREDIT = 20
"""What a publisher may have sent and hasn't heard of: so little that it has to wait for commits now and then."""

FRAME_BYTES_MAX = 1024
"""So small that larger messages take several frames."""

WINDOW = 2**31 - 1

NOTE = "x-note"
"""The annotation that receivers write on messages."""


@dataclass
class Arrived:
    """A delivery to a consumer, which the model knows by `key`.  number: its delivery tag.  note: written on it."""

    key: tuple[int, int, str]
    number: int
    redelivered: bool
    body: bytes
    note: int | None = None


@dataclass
class Awaited:
    """An outcome that is due.  outcome: its class.  transaction: of which it is said.  unflushed: not on disk yet."""

    outcome: type
    transaction: bytes = b""
    unflushed: bool = False


@dataclass
class Sender:
    """exchange, key: where its messages go; no key where each of them says that.  sent: how many messages."""

    exchange: str
    key: str | None
    sent: int = 0
    credit: int = 0


@dataclass
class Receiver:
    """given: the delivery count up to which the broker may send.  received: how many messages came, or were drained."""

    tag: str
    given: int = 0
    received: int = 0
    draining: bool = False


@dataclass
class PeerSession:
    """senders, receivers: by handle.  awaited: outcomes, by delivery ids.  next_id: of what is sent.

    answers: ranges that the broker settles last.  ending: handles that it is to detach, and -1 for the session's end.
    """

    senders: dict[int, Sender] = field(default_factory=dict)
    receivers: dict[int, Receiver] = field(default_factory=dict)
    awaited: dict[int, Awaited] = field(default_factory=dict)
    answers: list[tuple[int, int]] = field(default_factory=list)
    ending: set[int] = field(default_factory=set)
    next_id: int = 0


class Amqp10Peer:
    """See the head of this file.

    number: the connection's, in the model.  arrived: deliveries that nobody has looked at.  states: outcomes that came,
    by channel and delivery id, as declares and discharges have such that say more.
    """

    def __init__(self, simulated: SimulatedBroker, chance: random.Random, number: int) -> None:
        self.number = number
        self.client = Amqp10Client(simulated, Amqp10Settings(link_credit=LINK_CREDIT))
        simulated.peers.append(self.client)
        self.client.open(max_frame_size=FRAME_BYTES_MAX)
        self.arrived: list[Arrived] = []
        self.states: dict[tuple[int, int], Any] = {}
        self.sessions: list[PeerSession] = []
        self._chance = chance
        self._pieces: list[Frame] = []
        for channel in range(SESSIONS):
            self.sessions.append(PeerSession())
            self.client.begin(channel, window=WINDOW)

    def send(self, *frames: bytes) -> None:
        """Send frames, cut anywhere, and take what is answered."""
        cut = "whole" if self._chance.random() < 0.8 else f"{self._chance.random()}"
        self._sort(self.client.send_bytes(b"".join(frames), cut))

    def tell(self, body: object, channel: int) -> None:
        """Send one performative."""
        self.send(frame_bytes(body, channel))

    def collect(self) -> None:
        """Take what has come."""
        self._sort(self.client.take())

    def begin(self, channel: int) -> None:
        """End a session, and begin another one in its place."""
        self.sessions[channel].ending.add(-1)
        self.tell(End(), channel)
        assert not self.sessions[channel].ending, "the end of a session isn't answered"
        self.sessions[channel] = PeerSession()
        self.client.begin(channel, window=WINDOW)

    def expect(self, channel: int, outcome: type, *, transaction: bytes = b"", unflushed: bool = False) -> int:
        """A delivery is sent: its id, and what is to become of it."""
        session = self.sessions[channel]
        session.awaited[session.next_id] = Awaited(outcome, transaction, unflushed)
        return self.next_id(channel)

    def next_id(self, channel: int) -> int:
        """An id of a delivery."""
        session = self.sessions[channel]
        session.next_id += 1
        return session.next_id - 1

    def flushed(self) -> None:
        """All that was sent is on disk."""
        for session in self.sessions:
            for awaited in session.awaited.values():
                awaited.unflushed = False

    def check_rest(self, *, is_flushed: bool) -> None:
        """The broker is at rest: only what waits for the disk is unanswered; if all is flushed, everybody may go on."""
        for channel, session in enumerate(self.sessions):
            assert not session.answers, f"no answer for {session.answers} of session {channel}"
            assert not session.ending, f"links {session.ending} of session {channel} weren't detached"
            waiting = session.awaited.values()
            assert all(each.unflushed for each in waiting) or not is_flushed, f"no outcome for {session.awaited}"
            for handle, sender in session.senders.items():
                assert sender.credit > 0 or not is_flushed, f"no credit for {handle} of session {channel}"

    # Below

    def _sort(self, frames: list[Frame]) -> None:
        for frame in frames:
            body = frame.body
            session = self.sessions[frame.channel]
            if isinstance(body, Transfer):
                self._transfer(frame)
            elif isinstance(body, Disposition):
                self._disposition(session, frame.channel, body)
            elif isinstance(body, Flow):
                self._flow(session, body)
            elif isinstance(body, Detach):
                session.ending.remove(body.handle)
            elif isinstance(body, End):
                session.ending.remove(-1)
            else:
                assert isinstance(body, Attach | Begin), f"{frame} came"

    def _transfer(self, frame: Frame) -> None:
        self._pieces.append(frame)
        if frame.body.more:
            return
        pieces, self._pieces = self._pieces, []
        first = pieces[0].body
        [message] = messages(pieces)
        assert all(each.body.handle == first.handle and each.channel == frame.channel for each in pieces)
        receiver = self.sessions[frame.channel].receivers[first.handle]
        receiver.received += 1
        body, note = body_of(message), annotations_of(message).get(NOTE)
        redelivered = not message.first_acquirer
        key = (self.number, frame.channel, receiver.tag)
        self.arrived.append(Arrived(key, first.delivery_id + 1, redelivered, body, note))

    def _disposition(self, session: PeerSession, channel: int, body: Disposition) -> None:
        last = body.first if body.last is None else body.last
        if not body.role:
            session.answers.remove((body.first, last))
            return
        assert body.settled
        for number in range(body.first, last + 1):
            awaited = session.awaited.pop(number)
            state = body.state
            assert not awaited.unflushed, f"{number} was told as {state} before it is on disk"
            if awaited.transaction:
                assert isinstance(state, TransactionalState)
                assert state.txn_id == awaited.transaction
                state = state.outcome
            assert isinstance(state, awaited.outcome), f"{state} of {number} instead of {awaited}"
            if isinstance(state, Rejected):
                assert state.error is not None
            self.states[channel, number] = state

    def _flow(self, session: PeerSession, body: Flow) -> None:
        if body.handle is None:
            return
        count, credit = body.delivery_count or 0, body.link_credit or 0
        if body.handle in session.senders:
            sender = session.senders[body.handle]
            sender.credit = count + credit - sender.sent
            assert 0 <= sender.credit <= LINK_CREDIT
            return
        receiver = session.receivers[body.handle]
        if body.drain:
            assert receiver.draining
            assert credit == 0
            assert count == receiver.given
            receiver.draining, receiver.received = False, count
        assert (receiver.received, receiver.given) == (count, count + credit), f"{vars(body)} of {receiver}"


def frame_bytes(body: object, channel: int, payload: bytes = b"") -> bytes:
    """A frame."""
    return frame_of(channel, encode_composite(body) + payload)


def noted(note: int) -> dict[Any, Any]:
    """Annotations of a message."""
    return {Symbol(NOTE): note}
