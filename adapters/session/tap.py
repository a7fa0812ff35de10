"""A look at the frames of a connection while it runs, for people who search a fault.

Theory of operation
-------------------
Nothing is kept of a connection that nobody looks at.  Who looks begins a tap, which takes the session's place on its
transport and hands on what comes, and is told by the outbox what goes (`Outbox.tap`); it ends by itself when nobody has
looked for a while.  So the way of messages is what it was, but for one question per batch that is sent.

The tap cuts what passes into frames and keeps the beginnings of the latest.  Where frames begin, a protocol says
(`FrameWords.size`), and what they mean, in words and without secrets, it is asked only when somebody looks
(`FrameWords.describe`).  What is sent in a batch begins with a frame, and so does what a session has read and not
handled yet; so where too much passes at once to be cut, the tap passes it over and goes on behind.  A STOMP session has
taken the beginning of a frame in already: of one that a tap begins within, the rest may be seen as a frame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, cast

from warren.core.errors import NotFound, PreconditionFailed

if TYPE_CHECKING:
    from warren.adapters.session.pieces import Pieces
    from warren.core.broker import Broker, SessionEntry
    from warren.core.clients.outbox import Outbox
    from warren.core.clients.transport import Carrier, Session
    from warren.core.clients.troubles import Trouble
    from warren.core.deadlines import Deadline

FRAMES_MAX: Final = 300
"""Frames that are kept, both directions together."""

HEAD_BYTES: Final = 1024
"""Kept of each: enough for every method and for the headers of most messages."""

CUT_AT_ONCE: Final = 1000
"""Frames of a batch that are looked at, about a microsecond each; the rest of it is passed over."""

UNCUT_BYTES_MAX: Final = 64 * 1024
"""Bytes that wait to be cut; if there are more, they are passed over."""

WATCH_S_DEFAULT: Final = 60
WATCH_S_MAX: Final = 600
"""How long a tap goes on when nobody looks."""

RECEIVED: Final = "received"
SENT: Final = "sent"


class FrameWords(Protocol):
    """What a protocol knows of its frames."""

    def size(self, data: bytes, at: int) -> int | None:
        """The whole size of the frame that begins at `at`, in bytes; None where its beginning doesn't tell yet."""

    def describe(self, head: bytes, size: int, *, received: bool) -> str:
        """A frame in words, without passwords; head: its beginning, or all of it."""


class Tappable(Protocol):
    """A session that can be looked at."""

    tap: Tap | None
    broker: Broker
    outbox: Outbox

    @property
    def name(self) -> str:
        """Of the connection."""

    @property
    def carrier(self) -> Carrier:
        """What its bytes come by."""

    @property
    def untaken(self) -> Pieces:
        """What has come and isn't handled yet."""

    def frame_words(self) -> FrameWords:
        """What its protocol knows of frames."""


class Seen(NamedTuple):
    """A frame as it passed.  at_ms: when its beginning did, in milliseconds since 1970.  size: in bytes."""

    at_ms: int
    direction: str
    size: int
    text: str


class Look(NamedTuple):
    """What somebody sees of a connection.

    watching: a tap is on, and what passes from now on is kept.  seconds_left: until it ends unless somebody looks.
    passed: how many frames have passed since it began.
    """

    watching: bool
    seconds_left: int
    passed: int
    frames: list[Seen]
    troubles: "list[Trouble]"


class _Direction:
    """What passes in one direction, cut into frames.

    _pending: the beginning of a frame whose size isn't known yet.  _left: bytes of a frame that are still to come, and
    aren't kept.  is_lost: where the next frame begins isn't known, as too much came at once; `begin_at` tells.
    """

    __slots__ = ("_kept", "_left", "_name", "_pending", "_words", "is_lost", "passed")

    def __init__(self, name: str, words: FrameWords, kept: deque[tuple[int, str, int, bytes]]) -> None:
        self._name = name
        self._words = words
        self._kept = kept
        self._pending = b""
        self._left = 0
        self.is_lost = False
        self.passed = 0

    def add(self, data: bytes, now_ms: int) -> None:
        if self.is_lost:
            return
        if self._left:
            skipped = min(self._left, len(data))
            self._left -= skipped
            data = data[skipped:]
        data = self._pending + data
        self._pending = b""
        at, end = 0, len(data)
        for _ in range(CUT_AT_ONCE):
            size = self._words.size(data, at) if at < end else None
            if size is None or (size > end - at and end - at < HEAD_BYTES):
                break
            self._keep(data[at : min(at + size, at + HEAD_BYTES)], size, now_ms)
            self._left = max(size - (end - at), 0)
            at += size
        if at < end:
            self._pending = data[at:]
            self.is_lost = len(self._pending) > UNCUT_BYTES_MAX

    def begin_at(self, unread: Pieces | None, now_ms: int) -> None:
        """The next frame begins here, or where what was read and isn't handled yet does."""
        self.is_lost = False
        self._pending = b""
        self._left = 0
        if not unread:
            return
        head = unread.peek(HEAD_BYTES)
        size = self._words.size(head, 0)
        if size is not None and size > len(unread) > HEAD_BYTES:
            self._keep(head, size, now_ms)
            self._left = size - len(unread)
        else:
            self._pending = unread.peek(UNCUT_BYTES_MAX)
            self.is_lost = len(unread) > UNCUT_BYTES_MAX

    def _keep(self, head: bytes, size: int, now_ms: int) -> None:
        self.passed += 1
        self._kept.append((now_ms, self._name, size, head))


class Tap:
    """What looks at one session; in its place on the transport, a Session (core.clients.transport)."""

    def __init__(self, session: Tappable) -> None:
        self._session = session
        words = session.frame_words()
        self._kept: deque[tuple[int, str, int, bytes]] = deque(maxlen=FRAMES_MAX)
        self._received = _Direction(RECEIVED, words, self._kept)
        self._sent = _Direction(SENT, words, self._kept)
        self._words = words
        # What is unread begins with a frame; it comes before all that comes from now on.
        self._received.begin_at(session.untaken, session.broker.now_ms)
        self._deadline: Deadline | None = None
        self._until_ms = 0
        session.tap = self
        session.outbox.tap = self.sent
        session.carrier.start(self, session.outbox)

    @property
    def inner(self) -> Session:
        """Whose place it has: the session's, or that of what holds it back (pace.py)."""
        return in_front_of(self._session)

    def go_on_for(self, seconds: int) -> None:
        """Somebody looks: end so many seconds from now, unless somebody does again."""
        broker = self._session.broker
        self._until_ms = broker.now_ms + seconds * 1000
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = broker.deadlines.schedule(self._until_ms, lambda now_ms: self.end())

    def end(self) -> None:
        """Nobody looks any more: the session has its place back."""
        session = self._session
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if session.tap is self:
            session.tap = None
            session.outbox.tap = None
            session.carrier.start(self.inner, session.outbox)

    def look(self) -> Look:
        """What has passed, in words."""
        frames = [
            Seen(at_ms, direction, size, _described(self._words, head, size, direction))
            for at_ms, direction, size, head in self._kept
        ]
        left_s = max(self._until_ms - self._session.broker.now_ms, 0) // 1000
        return Look(True, left_s, self._received.passed + self._sent.passed, frames, [])

    def sent(self, chunks: list[bytes]) -> None:
        """These go to the peer."""
        now_ms = self._session.broker.now_ms
        for chunk in chunks:
            self._sent.add(chunk, now_ms)
        if self._sent.is_lost:
            self._sent.begin_at(None, now_ms)

    # In the session's place

    def receive(self, data: bytes) -> None:
        """See core.clients.transport.Session."""
        session = self._session
        self._received.add(data, session.broker.now_ms)
        self.inner.receive(data)
        if self._received.is_lost:
            self._received.begin_at(session.untaken, session.broker.now_ms)

    def drained(self) -> None:
        """See core.clients.transport.Session."""
        self.inner.drained()

    def connection_lost(self, reason: str) -> None:
        """See core.clients.transport.Session."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self.inner.connection_lost(reason)

    def shut_down(self, reason: str) -> None:
        """See core.clients.transport.Session."""
        self.inner.shut_down(reason)


def _described(words: FrameWords, head: bytes, size: int, direction: str) -> str:
    try:
        return words.describe(head, size, received=direction == RECEIVED)
    except Exception:
        # Whatever a peer has sent; the session says what is wrong with it.
        return f"{size} bytes that can't be decoded"


def in_front_of(session: Tappable) -> Session:
    """What takes a session's bytes where nobody looks: itself, unless its rate is limited."""
    paced = session.broker.rate_limits.paced.get(cast("SessionEntry", session))
    return cast("Session", session if paced is None else paced)


def look_at(broker: Broker, name: str, watch_s: int = WATCH_S_DEFAULT) -> Look:
    """The latest frames of the connection of this name, and what went wrong on it.

    The first look begins a tap, so that the next one sees what has passed meanwhile; it ends when nobody has looked for
    `watch_s` seconds, 0 for at once.  A connection that is gone is known by what went wrong on it.  Raises NotFound for
    one that nothing is known of, PreconditionFailed for a time out of range.
    """
    if not 0 <= watch_s <= WATCH_S_MAX:
        raise PreconditionFailed(f"a connection is watched for 0 to {WATCH_S_MAX} seconds, not {watch_s}")
    troubles = broker.troubles.of(name)
    session = find(broker, name)
    if session is None:
        if not troubles:
            raise NotFound(f"no connection over the network has the name '{name}'")
        return Look(False, 0, 0, [], troubles)
    tap = session.tap
    if tap is None and watch_s:
        tap = Tap(session)
    if tap is None:
        return Look(False, 0, 0, [], troubles)
    tap.go_on_for(watch_s)
    found = tap.look()
    if not watch_s:
        tap.end()
    return found._replace(troubles=troubles, watching=watch_s > 0)


def find(broker: Broker, name: str) -> Tappable | None:
    """The session of the connection of this name; None when there is none, or none that has frames."""
    for entry in broker.sessions:
        if entry.connection_row().name == name and hasattr(entry, "frame_words"):
            return cast("Tappable", entry)
    return None


def no_secrets(fields: Mapping[str, object], secrets: frozenset[str]) -> dict[str, object]:
    """The same, with dots for what nobody is to see."""
    return {name: "•••" if name in secrets and value else value for name, value in fields.items()}
