"""What new subscriptions still have coming of the retained messages (MQTT 5 3.3.1.3): fed as there is room for them.

Theory of operation
-------------------
There may be any number of retained messages, so they aren't made at once: neither would the hub get round to anybody
else, nor would they fit into a queue whose bounds are those of slow readers.  A subscription has a *cursor*, a walk of
the tree (retained.py) that stops anywhere.  A few messages come with the SUBSCRIBE itself; the others are a chore
(core/chores.py), which copies a slice of them into the session's queue whenever less than `AHEAD_MESSAGES` of them wait
there.  From then on they are messages like others, with their QoS, on disk if it says so.

The session sees what it would see had they come at once:

    order       Each cursor has reserved sequences for all that it may bring, so its messages take their places before
                what was published after SUBSCRIBE, and a flood of that can't hold them up.
    per topic   While there is a cursor, the queue is guarded, and asks before it takes a message: what is retained for
                the message's topic goes before it (`hand_over`), also if the message is the next that is retained.
    no more     What is retained later than SUBSCRIBE comes as a message, not by the cursor.
    no less     A session that outlives its connection is given the rest (of QoS 1 and 2) while its client is away, up
                to what may wait for it.  Cursors that aren't done are rows of the definitions: after a crash they
                start anew, so that messages may come twice.

An UNSUBSCRIBE ends its cursor; another SUBSCRIBE by the same filter starts it anew, if it is to bring anything.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, cast

from warren.adapters.mqtt.sessions.headers import PUBLISH_QOS, PUBLISHER, RETAIN, RETAINED_FOR, publish_qos
from warren.core.messages.message import Message
from warren.core.queues.backlog import sequence_of, size_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from warren.adapters.mqtt.sessions.retained import RetainedMessages, RetainedNode
    from warren.adapters.mqtt.sessions.session import MqttSession
    from warren.adapters.mqtt.sessions.session_queue import MqttQueue
    from warren.adapters.mqtt.sessions.subscription import MqttSubscription
    from warren.core.storage.definitions.store import JSON

KIND: Final = "mqtt_retained_cursor"
"""The kind of a cursor's row."""

AHEAD_MESSAGES: Final = 256
"""So many may wait in the queue before the next are made: some packets of a small client, a turn of a fast one."""

AHEAD_BYTES: Final = 512 * 1024
"""The same in bytes of their bodies: half of what an outbox takes."""

SLICE_WORK: Final = 1200
"""What one slice may do, some 3 ms: a node that the walk looks at is one."""

TURN_WORK: Final = 2 * SLICE_WORK
"""What all SUBSCRIBEs of a turn may have done at once, whoever sends them; beyond that, they wait for their slice."""

SLOT_BITS: Final = 512
"""What a member of a set takes, in bits: a number, and its place at the usual load."""

COPY_WORK: Final = 8
"""A message that is made is so much."""


class Cursor:
    """How far one subscription has got.

    number: of the last message that was retained before it.  sequence: the last that it gave to a message.
    last_sequence: the last that it may give.  given: what it has brought, in its turn or before.  row: its name in the
    definitions, empty for none.
    """

    __slots__ = ("filter", "given", "last_sequence", "number", "row", "sequence", "walk")

    def __init__(self, filter: str, retained: RetainedMessages, words: Sequence[str], sequence: int) -> None:
        self.filter = filter
        self.walk = retained.walk(words)
        self.number = retained.number
        self.sequence = sequence
        self.last_sequence = sequence + retained.topic_count
        self.given = Slots(retained.slot_count)
        self.row = ""


class Slots:
    """A set of slots below `count`; a bit of each once they are many, so that a thousand such sets are affordable."""

    __slots__ = ("_bits", "_count", "_few")

    def __init__(self, count: int) -> None:
        self._count = count
        self._few: set[int] = set()
        self._bits = bytearray()

    def add(self, slot: int) -> None:
        """One that is below the count."""
        if self._bits:
            self._bits[slot >> 3] |= 1 << (slot & 7)
            return
        self._few.add(slot)
        if len(self._few) * SLOT_BITS > self._count:
            self._bits = bytearray((self._count >> 3) + 1)
            for each in self._few:
                self._bits[each >> 3] |= 1 << (each & 7)
            self._few.clear()

    def __contains__(self, slot: int) -> bool:
        if self._bits:
            return bool(self._bits[slot >> 3] & 1 << (slot & 7))
        return slot in self._few


class RetainedFeed:
    """The cursors of one session; see the head of this file.  copied_count: messages made so far."""

    __slots__ = ("_cursors", "_has_chore", "_session", "copied_count")

    def __init__(self, session: MqttSession) -> None:
        self._session = session
        self._cursors: dict[str, Cursor] = {}
        self._has_chore = False
        self.copied_count = 0

    def __bool__(self) -> bool:
        return bool(self._cursors)

    # Beginning

    def add(self, subscriptions: Sequence[MqttSubscription]) -> None:
        """Subscriptions of the session's own are to be given what is retained for them, at once or in turns."""
        registry = self._session.registry
        retained, broker = registry.retained, registry.broker
        hidden = [subscription.words[0] for subscription in subscriptions if subscription.filter.startswith("$")]
        if hidden:
            registry.system_topics.refresh(hidden)
        if not retained.topic_count and not self._cursors:
            return
        added: list[Cursor] = []
        for subscription in subscriptions:
            filter = subscription.filter
            self.drop(filter)
            if retained.topic_count:
                cursor = self._cursors[filter] = Cursor(filter, retained, subscription.words, broker.sequence)
                broker.sequence = cursor.last_sequence
                added.append(cursor)
        if self._cursors and not self._has_chore:
            self._begin()
        for cursor in added:
            if self._cursors.get(cursor.filter) is cursor:
                self._remember(cursor)
        self._guard()

    def _begin(self) -> None:
        """As much as there is room for, and time in this turn; the rest is a chore."""
        registry = self._session.registry
        broker, ration = registry.broker, registry.world.feeding
        left = min(ration.left(broker.turn), SLICE_WORK)
        if left:
            ration.spend(self._feed(left))
        if self._has_room():
            self._has_chore = True
            broker.chores.add(self._do_slice)

    def drop(self, filter: str) -> None:
        """Nothing more comes for this filter."""
        cursor = self._cursors.pop(filter, None)
        if cursor is not None:
            self._forget(cursor)
            self._guard()

    # What happens meanwhile

    def hand_over(self, topic: str) -> None:
        """A message to `topic` is about to be given to the session: what was retained for it before goes first."""
        for subscription in self._session.matching(topic):
            cursor = self._cursors.get(subscription.filter)
            node = self._session.registry.retained.find(topic) if cursor is not None else None
            if cursor is None or node is None or not self._is_wanted(cursor, node):
                continue
            cursor.given.add(node.slot)
            queue = self._queue
            cursor.sequence += 1
            copy = self._copy(cursor.sequence, subscription, node)
            if copy is not None and queue is not None:
                self._store([copy], queue)
                queue.insert([copy])

    def look(self) -> None:
        """The queue may have room again: go on if it has some."""
        if not self._has_chore and self._has_room(AHEAD_MESSAGES // 2):
            self._has_chore = True
            self._session.registry.broker.chores.add(self._do_slice)

    def finish(self) -> None:
        """The broker stops in good order: do the rest at once, as far as it may wait for the session."""
        while self._has_room():
            self._do_slice()

    def end(self) -> None:
        """The session is over."""
        for filter in list(self._cursors):
            self.drop(filter)

    # Slices

    def _do_slice(self) -> bool:
        """As much as one turn may have of it, while there is room; True when that was not all."""
        self._has_chore = self._feed(SLICE_WORK) >= SLICE_WORK and self._has_room()
        return self._has_chore

    def _feed(self, work_max: int) -> int:
        """So much, while there is room; how much it was."""
        work = 0
        while work < work_max and self._has_room():
            work += self._advance(next(iter(self._cursors.values())), work_max - work)
        return work

    def _advance(self, cursor: Cursor, work_max: int) -> int:
        """Bring what one cursor finds next, the oldest first; how much work that was."""
        subscription = self._session.subscriptions.get(cursor.filter)
        queue = self._queue
        found: list[RetainedNode] = []
        room, room_bytes = self._room(cursor)
        work = 1
        for node in cursor.walk if subscription is not None else ():
            work += 1
            if node is not None and node.message is not None and self._is_wanted(cursor, node):
                found.append(node)
                cursor.given.add(node.slot)
                room_bytes -= node.message.body_size
                work += COPY_WORK
            if work >= work_max or len(found) >= room or room_bytes <= 0:
                break
        else:
            self.drop(cursor.filter)
        if subscription is not None and queue is not None and found:
            found.sort(key=_number_of)
            made = [self._copy(cursor.sequence + index, subscription, node) for index, node in enumerate(found, 1)]
            cursor.sequence += len(found)
            copies = [copy for copy in made if copy is not None]
            if copies:
                self._store(copies, queue)
                queue.insert(copies)
        return work

    def _is_wanted(self, cursor: Cursor, node: RetainedNode) -> bool:
        """False for what has no message, has one that is too new, or was given before."""
        return node.message is not None and node.number <= cursor.number and node.slot not in cursor.given

    def _copy(self, sequence: int, subscription: MqttSubscription, node: RetainedNode) -> Message | None:
        """The message as this subscription gets it; None if it gets none."""
        message, session = node.message, self._session
        if message is None or (subscription.no_local and node.publisher == session.client_id):
            return None
        qos = min(publish_qos(message.properties), subscription.qos)
        if not qos and session.holder is None:
            return None
        entries: dict[str, int] = {RETAINED_FOR: subscription.identifier}
        if qos == 2:
            entries[PUBLISH_QOS] = 2
        properties = message.properties.with_changes(delivery_mode=2 if qos else None)
        properties = properties.with_header_entries(entries, [PUBLISH_QOS, RETAIN, PUBLISHER])
        self.copied_count += 1
        return Message(
            sequence,
            message.address,
            properties,
            message.content,
            message.body_at,
            message.body_size,
            0,
            message.published_at_ms,
        )

    def _store(self, copies: list[Message], queue: MqttQueue) -> None:
        store = self._session.registry.broker.store
        for copy in copies:
            if copy.properties.persistent and queue.store_id:
                store.append(copy, (queue.store_id,))
            if copy.properties.expiration is not None:
                queue.expects_expiry()

    # Room

    @property
    def _queue(self) -> MqttQueue | None:
        queue = cast("MqttQueue | None", self._session.queue)
        return queue if queue is not None and not queue.closed else None

    def _has_room(self, least: int = 1) -> bool:
        """True when the first cursor may bring so many messages; one is enough where nobody takes any."""
        cursor = next(iter(self._cursors.values()), None)
        queue = self._queue
        if cursor is None or queue is None:
            return False
        room, room_bytes = self._room(cursor)
        return room_bytes > 0 and room >= (min(least, self._ahead(queue)) if queue.consumers else 1)

    def _room(self, cursor: Cursor) -> tuple[int, int]:
        """How many messages, and bytes of bodies, the queue takes of a cursor now.

        What was published after its SUBSCRIBE doesn't count, since it waits behind.
        """
        queue = self._queue
        if queue is None:
            return 0, 0
        if not queue.consumers:
            most = queue.world.limits.messages
            return (most - len(queue.entries) if most else AHEAD_MESSAGES), AHEAD_BYTES
        room, room_bytes = self._ahead(queue), AHEAD_BYTES
        for entry in islice(queue.entries, room):
            if sequence_of(entry) > cursor.last_sequence:
                break
            room -= 1
            room_bytes -= size_of(entry)
        return room, room_bytes

    def _ahead(self, queue: MqttQueue) -> int:
        """So many may wait, and leave room for other messages."""
        most = queue.world.limits.messages
        return min(AHEAD_MESSAGES, max(most // 2, 1)) if most else AHEAD_MESSAGES

    # The guard and the rows

    def _guard(self) -> None:
        """Have the queue ask for as long as there are cursors, and sessions look up its routes anew."""
        queue = self._queue
        if queue is not None and (queue.feed is not None) is not bool(self._cursors):
            queue.feed = self if self._cursors else None
            queue.vhost.changed()

    def _remember(self, cursor: Cursor) -> None:
        session = self._session
        subscription = session.subscriptions.get(cursor.filter)
        if not cursor.row and session.stored and subscription is not None and subscription.qos:
            cursor.row = f"{len(session.client_id)}:{session.client_id}{cursor.filter}"
            value: Mapping[str, JSON] = {"client_id": session.client_id, "filter": cursor.filter}
            registry = session.registry
            registry.broker.definitions.put(KIND, registry.vhost.name, cursor.row, value)

    def _forget(self, cursor: Cursor) -> None:
        if cursor.row:
            registry = self._session.registry
            registry.broker.definitions.delete(KIND, registry.vhost.name, cursor.row)


def _number_of(node: RetainedNode) -> int:
    return node.number
