"""The sending end of a link: messages on their way, and what became of each (2.6.7, 2.6.12).

A message goes out when the peer has given credit for it and its window is open for all its frames; until then it waits,
in order.  Its number is its delivery id.  Deliveries that the peer may keep for long are no stall; one that has had
neither credit nor an answer for a while is told of (`stalled`): an alarm, mostly, or a full queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from warren.adapters.amqp10.codec import quick
from warren.adapters.amqp10.codec.encoding import uint
from warren.adapters.amqp10.codec.performatives import Disposition, Flow
from warren.adapters.amqp10.codec.termini import Accepted, Modified, Rejected, Released
from warren.adapters.peers.settled import Settled

_IDS: Final = 0xFFFF_FFFF

HEAD_BYTES_MAX: Final = 64
"""Of a transfer, in front of its payload."""

SILENT_MS: Final = 10_000
"""How long a peer may give no credit, and answer nothing, before that is told: a slow disk takes a second."""

UNROUTABLE: Final = "the destination has no queue for a message (released)"


class Sending:
    """settled: what became of messages, for who sent them to take out.  stalled: nothing has moved for a while.
    waiting: messages that there is no credit for yet.  unanswered: those under way.
    """

    def __init__(self, handle: int, frame_bytes_max: int, write: Callable[[bytes], None]) -> None:
        self.settled: list[Settled] = []
        self.stalled = False
        self.window = 0
        self.sent_frames = 0
        self.delivery_count = 0
        self._handle = uint(handle)
        self._part_bytes = frame_bytes_max - HEAD_BYTES_MAX
        self._write = write
        self._credit = 0
        self._next_id = 0
        self._waiting: deque[tuple[int, bytes, bool]] = deque()
        self._parts: deque[bytes] = deque()
        self._unanswered: dict[int, None] = {}
        self._moved_at_ms = 0

    @property
    def waiting(self) -> int:
        """Messages that have to wait for credit, or for the window."""
        return len(self._waiting) + bool(self._parts)

    @property
    def unanswered(self) -> int:
        """Messages that the peer has, and hasn't settled."""
        return len(self._unanswered)

    def send(self, message: bytes, now_ms: int, *, settled: bool) -> int:
        """Send a message; its number.  settled: nobody is to answer, and it is settled by being sent."""
        number = self._next_id
        self._next_id = (number + 1) & _IDS
        if not (self.waiting or self._unanswered):
            self._moved_at_ms = now_ms
        self._waiting.append((number, message, settled))
        self._fill()
        return number

    def flow(self, flow: Flow, now_ms: int) -> None:
        """The peer's windows and credit."""
        sent_since = (self.sent_frames - (flow.next_incoming_id or 0)) & _IDS
        self.window = max(flow.incoming_window - sent_since, 0)
        if flow.handle is not None and flow.link_credit is not None:
            given = ((flow.delivery_count or 0) + flow.link_credit - self.delivery_count) & _IDS
            self._credit = given if given <= _IDS // 2 else 0
            if flow.drain:
                self.delivery_count = (self.delivery_count + self._credit) & _IDS
                self._credit = 0
        if self._fill():
            self._moved(now_ms)

    def disposition(self, body: Disposition, now_ms: int) -> bool:
        """The peer says what became of messages; whether it waits for our word, as it settles second."""
        last = body.first if body.last is None else body.last
        count = ((last - body.first) & _IDS) + 1
        outcome = body.state
        if outcome is None and not body.settled:
            return False
        refused = refusal_of(outcome)
        unanswered = self._unanswered
        if count <= len(unanswered):
            found = [number for at in range(count) if (number := (body.first + at) & _IDS) in unanswered]
        else:
            found = [number for number in unanswered if (number - body.first) & _IDS < count]
        for number in found:
            del unanswered[number]
            self.settled.append(Settled(number, refused))
        if found:
            self._moved(now_ms)
        return bool(found) and not body.settled

    def look(self, now_ms: int) -> None:
        """See whether nothing moves."""
        due_ms = self.next_at_ms()
        if due_ms is not None and now_ms >= due_ms:
            self.stalled = True

    def next_at_ms(self) -> int | None:
        """When `look` has something to do; None for never."""
        if self.stalled or not (self.waiting or self._unanswered):
            return None
        return self._moved_at_ms + SILENT_MS

    # Below

    def _moved(self, now_ms: int) -> None:
        self._moved_at_ms = now_ms
        self.stalled = False

    def _fill(self) -> bool:
        """Send what may be sent; whether that was anything."""
        sent = self.sent_frames
        while self.window > 0:
            if self._parts:
                self._write(self._parts.popleft())
                self.window -= 1
                self.sent_frames = (self.sent_frames + 1) & _IDS
                continue
            if not self._waiting or self._credit <= 0:
                break
            number, message, settled = self._waiting.popleft()
            self._credit -= 1
            self.delivery_count = (self.delivery_count + 1) & _IDS
            if settled:
                self.settled.append(Settled(number, None))
            else:
                self._unanswered[number] = None
            self._parts += self._frames(number, message, settled=settled)
        return self.sent_frames != sent

    def _frames(self, number: int, message: bytes, *, settled: bool) -> list[bytes]:
        if len(message) <= self._part_bytes:
            begin, end = quick.transfer_around(0, self._handle, settled=settled, payload_bytes=len(message))
            return [b"".join((begin, quick.pack_id_and_tag(number, quick.TAG_OF_4, number), end, message))]
        frames = []
        for at in range(0, len(message), self._part_bytes):
            part = message[at : at + self._part_bytes]
            head = quick.part_head(
                0,
                self._handle,
                None if at else number,
                settled=settled,
                more=at + len(part) < len(message),
                payload_bytes=len(part),
            )
            frames.append(head + part)
        return frames


def refusal_of(outcome: Any) -> str | None:
    """Why the peer doesn't have a message; None if it does."""
    if outcome is None or isinstance(outcome, Accepted):
        return None
    if isinstance(outcome, Rejected):
        error = outcome.error
        said = "" if error is None else f": {error.condition}: {error.description or ''}".rstrip(": ")
        return f"the destination rejected a message{said}"
    if isinstance(outcome, Released):
        return UNROUTABLE
    if isinstance(outcome, Modified):
        return "the destination gave a message back (modified)"
    return "the destination said something of a message that is no outcome"
