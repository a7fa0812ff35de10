"""What the clients of a mixed crash test have seen, and what is wrong with it.

Theory of operation
-------------------
Every message has a key, `PUBLISHER~NUMBER~SIZE`, by which it is known at each of its *places*: a queue, the session of
an MQTT client, a stream.  A message at a place goes through

    published       it may come, or be lost with the broker
    confirmed       it has to come, at least once, in the order of its publisher's
    came            it may come again behind a restart, marked as such, until
    acknowledged    its acknowledgement is on its way; where that is proven to be on disk, it never comes again

An acknowledgement is proven in two steps.  Its consumer has an answer to something that it asked behind it
(`answered`), so that the broker has handled it; and a message that was published after that, by whomever, is confirmed:
what is confirmed is on disk, with everything that was handled before.  A confirm of the stream protocol proves nothing
of queues, whose log is another one (`proves`).

What a publisher sends again because it doesn't know better may be there twice (`again`), unless its protocol tells the
two apart: MQTT's QoS 2, and publishing ids of streams.  A stream may have a message of QoS 2 twice, too: it is written
before what remembers the packet identifier.  Of such doubles nothing is said but that they are intact.

Consumers get messages before these are on disk, so that a kill may take a message with it that has come already.  When
its publisher sends such a one again behind the restart, and its protocol tells the two apart, it either was on disk,
and comes marked as redelivered wherever it came before, or it was not, and comes as a new one, once.  It can't be both:
what is in several queues is on disk for all of them or for none.

A stream isn't consumed.  Who reads it gives the offset of each message (`read`), and whatever was at an offset stays
there.

Nothing here speaks to a broker, so that histories can be made up to test it.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

PUBLISHED_NOTHING: Final = 0


@dataclass(slots=True)
class Message:
    """handled: how many acknowledgements of each place its confirm proves.

    again_in: the run of the broker in which its publisher sent it again last; 0 for none.  was_lost: whether it was
    lost with the run before that, and the place that showed it; None as long as it isn't.
    """

    key: str
    publisher: str
    places: Collection[str]
    handled: Mapping[str, int]
    confirmed: bool = False
    again_in: int = 0
    was_lost: tuple[bool, str] | None = None


@dataclass(slots=True)
class Entry:
    """A message at a place.  came_in: the run of the broker in which it came last; 0 for none."""

    message: Message
    came_in: int = 0


class MixedHistory:
    """Of one data directory.  problems: what was wrong, in words.

    confirmed, sent: messages by publisher.  came: first deliveries, proven: acknowledgements, by place.  log: by place,
    the keys of a stream in the order of their offsets.  sent_again: how many messages, and how often.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.confirmed: Counter[str] = Counter()
        self.came: Counter[str] = Counter()
        self.proven: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.sent_again = 0
        self.log: defaultdict[str, list[str]] = defaultdict(list)
        self._run = 1
        self._unconfirmed: dict[str, Message] = {}
        self._entries: defaultdict[str, dict[str, Entry]] = defaultdict(dict)
        self._to_come: defaultdict[tuple[str, str], deque[Entry]] = defaultdict(deque)
        self._overtaken: defaultdict[str, set[str]] = defaultdict(set)
        self._doubled: defaultdict[str, set[str]] = defaultdict(set)
        self._acknowledged: defaultdict[str, list[str]] = defaultdict(list)
        self._proven_to: Counter[str] = Counter()
        self._handled: Mapping[str, int] = {}
        self._next_offset: dict[str, int] = {}

    def problem(self, text: str) -> None:
        """Something is wrong."""
        self.problems.append(text)

    # What publishers tell

    def publish(self, publisher: str, key: str, places: Collection[str], *, proves: bool = True) -> None:
        """A message is being sent, to come to these places.  proves: see the head of this file."""
        message = Message(key, publisher, places, self._handled if proves else {})
        self.sent[publisher] = number_of(key)
        self._unconfirmed[key] = message
        for place in places:
            entry = self._entries[place][key] = Entry(message)
            self._to_come[place, publisher].append(entry)

    def again(self, key: str, doubled: Collection[str]) -> None:
        """It is being sent again behind a restart, and may be twice in these places."""
        for place in doubled:
            self._doubled[place].add(key)
        message = self._unconfirmed.get(key)
        if message is not None:
            message.again_in, message.was_lost = self._run, None
        self.sent_again += 1

    def confirm(self, key: str) -> None:
        """Its publisher was told that it is safe."""
        message = self._unconfirmed.pop(key, None)
        if message is None:
            self.problem(f"{key} was confirmed twice, or never sent")
            return
        message.confirmed = True
        self.confirmed[message.publisher] += 1
        for place in message.places:
            if key in self._overtaken[place]:
                self.problem(f"{place}: {key} was confirmed, and a later one has come in its stead")
        for place, count in message.handled.items():
            self._prove(place, count)

    def knows(self, place: str, publisher: str, confirmed: int, known: int) -> None:
        """A stream has this publishing id of a publisher for its last; confirmed: all up to this one were."""
        if not confirmed <= known <= self.sent[publisher]:
            self.problem(
                f"{place}: it knows of {publisher} up to {known}, who has confirms up to {confirmed} and has sent up "
                f"to {self.sent[publisher]}"
            )

    def behind(self, place: str, publisher: str) -> int:
        """How many messages of a publisher haven't come to a place; some may be lost, until a later one has come."""
        return len(self._to_come[place, publisher])

    # What consumers tell

    def deliver(self, place: str, key: str, *, redelivered: bool | None, intact: bool, once: bool = False) -> None:
        """A message came.  redelivered: None where nothing is said of that.  once: it may never come a second time."""
        what = f"{place}: {key}"
        if not intact:
            self.problem(f"{what} came with another body")
            return
        entry = self._entries[place].get(key)
        if entry is None:
            self._unexpected(place, key, "came again, though its acknowledgement was on disk")
            return
        if not entry.came_in:
            self._first(place, entry)
        elif once:
            self.problem(f"{what} is of QoS 2, and came twice")
        elif key in self._doubled[place]:
            pass
        elif entry.came_in == self._run:
            self.problem(f"{what} came twice, without a restart in between")
        elif redelivered is not None:
            self._came_again(place, entry.message, redelivered=redelivered)
        entry.came_in = self._run

    def acknowledge(self, place: str, key: str) -> None:
        """An acknowledgement is being sent."""
        if key in self._entries[place]:
            self._acknowledged[place].append(key)

    def acknowledged_count(self, place: str) -> int:
        """How many acknowledgements were sent: what to give to `answered` when an answer comes."""
        return len(self._acknowledged[place])

    def answered(self, place: str, count: int) -> None:
        """An answer came to something that was sent behind the first `count` acknowledgements."""
        self._handled = {**self._handled, place: max(count, self._handled.get(place, 0))}

    def has_come(self, place: str, key: str) -> bool:
        """Whether a message that was published has come to a place."""
        entry = self._entries[place].get(key)
        return entry is None or entry.came_in > 0

    # What readers of streams tell

    def read(self, place: str, offset: int, key: str, *, intact: bool) -> None:
        """A message of a stream."""
        if not intact:
            self.problem(f"{place}: {key} came with another body")
            return
        expected = self._next_offset.get(place, offset)
        if offset != expected:
            self.problem(f"{place}: offset {offset} came where {expected} should have")
        self._next_offset[place] = offset + 1
        log = self.log[place]
        if offset < len(log):
            if log[offset] != key:
                self.problem(f"{place}: offset {offset} was {log[offset]}, and is {key} now")
            return
        if offset > len(log):
            self.problem(f"{place}: offset {offset} is the first behind {len(log) - 1}")
            log += [""] * (offset - len(log))
        log.append(key)
        entry = self._entries[place].pop(key, None)
        if entry is None:
            self._unexpected(place, key, "is in the stream twice")
        else:
            self._first(place, entry)

    # What befalls the broker

    def restarted(self) -> None:
        """It was killed, and runs again."""
        self._run += 1
        self._acknowledged.clear()
        self._proven_to.clear()
        self._handled = {}
        self._next_offset.clear()
        overtaken = set[str]().union(*self._overtaken.values())
        self._unconfirmed = {key: each for key, each in self._unconfirmed.items() if key not in overtaken}
        for message in self._unconfirmed.values():
            message.handled = {}

    def finish(self) -> list[str]:
        """Everything that is there has come: all problems."""
        lost = [
            f"{place}: {key} was confirmed, and never came"
            for place, entries in self._entries.items()
            for key, entry in entries.items()
            if entry.message.confirmed and not entry.came_in
        ]
        return self.problems + lost

    # Below

    def _first(self, place: str, entry: Entry) -> None:
        """It came for the first time; what its publisher sent before, and hasn't come, is lost."""
        to_come = self._to_come[place, entry.message.publisher]
        self.came[place] += 1
        while (before := to_come.popleft()) is not entry:
            key = before.message.key
            del self._entries[place][key]
            self._overtaken[place].add(key)
            if before.message.confirmed:
                self.problem(f"{place}: {key} was confirmed, and {entry.message.key} has come in its stead")

    def _came_again(self, place: str, message: Message, *, redelivered: bool) -> None:
        """It came in an earlier run already."""
        if message.again_in != self._run:
            if not redelivered:
                self.problem(f"{place}: {message.key} came again, and isn't marked as redelivered")
        elif message.was_lost is None:
            message.was_lost = not redelivered, place
        elif message.was_lost[0] == redelivered:
            marked, new = (place, message.was_lost[1]) if redelivered else (message.was_lost[1], place)
            self.problem(f"{message.key} came again as redelivered to {marked}, and as a new one to {new}")

    def _unexpected(self, place: str, key: str, text: str) -> None:
        """A message came that has no business to."""
        if key in self._doubled[place]:
            return
        publisher, number = key.rpartition("~")[0].rpartition("~")[0], number_of(key)
        if not PUBLISHED_NOTHING < number <= self.sent[publisher]:
            self.problem(f"{place}: {key} came, which nobody has published")
        elif key in self._overtaken[place]:
            self.problem(f"{place}: {key} came behind a later one")
        else:
            self.problem(f"{place}: {key} {text}")

    def _prove(self, place: str, count: int) -> None:
        start = self._proven_to[place]
        for key in self._acknowledged[place][start:count]:
            if self._entries[place].pop(key, None) is not None:
                self.proven[place] += 1
        self._proven_to[place] = max(start, count)


def number_of(key: str) -> int:
    """Of a message, by its key; 0 for what isn't one."""
    parts = key.rsplit("~", 2)
    return int(parts[1]) if len(parts) == 3 and parts[1].isdigit() else PUBLISHED_NOTHING
