"""What a connection's owners of state are made from, without a broker, a socket, or a connection.

Each stand-in has what the owners ask for and no more: one that asks for something else fails with AttributeError.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.mqtt.agreed import Agreed
from warren.adapters.mqtt.answers import Answers
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.decode import decode
from warren.adapters.mqtt.codec.packets import Packet
from warren.adapters.mqtt.sessions.names import TopicNames
from warren.adapters.mqtt.sessions.publishing import BY_QOS
from warren.adapters.mqtt.sessions.session import MqttSession
from warren.core.chores import Ration
from warren.core.clients.outbox import Outbox
from warren.core.counters import QueueCounts, SessionCounts
from warren.core.given import Given
from warren.core.limit_hits import LimitHits
from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.messages.properties import Properties
from warren.core.queues.classic.burials import WORK_PER_TURN
from warren.core.rationed_log import RationedLog

BYTES_MAX = 1_000_000


class BareStore:
    """A message store that notes what it is told.  durable: it is a disk."""

    def __init__(self) -> None:
        self.durable = True
        self.kept: list[tuple[Message, tuple[int, ...]]] = []
        self.settled: list[Message] = []

    def begin_group(self) -> None:
        """Nothing is grouped here."""

    def end_group(self) -> None:
        """Nothing is grouped here."""

    def append(self, message: Message, numbers: tuple[int, ...]) -> None:
        """Keep a message."""
        self.kept.append((message, numbers))

    def settle(self, number: int, message: Message) -> None:
        """Keep it no more."""
        self.settled.append(message)


class BareQueue:
    """A queue that notes what its consumers say.  consumers: those that are there."""

    def __init__(self, name: str = "q") -> None:
        self.name = name
        self.description = f"queue '{name}'"
        self.counted_as = "classic"
        self.acknowledged: list[Message] = []
        self.discarded: list[Message] = []
        self.resumed: list[object] = []
        self.consumers: list[object] = []
        self.watched: list[object] = []
        self.later: list[Callable[[], None]] = []
        self.auto_delete = self.guarded = self.answers_late = self.keeps_messages = False
        self.store_id = 0
        self.ready_count = 1
        self.counts = QueueCounts()
        watch = SimpleNamespace(added=self.watched.append)
        self.vhost = SimpleNamespace(broker=SimpleNamespace(ack_timeouts=watch, at_end_of_batch=self.later.append))

    def acknowledge(self, message: Message) -> None:
        """Done with."""
        self.acknowledged.append(message)

    def discard(self, message: Message) -> None:
        """Dropped, and dead-lettered."""
        self.discarded.append(message)

    def resume(self, consumer: object) -> None:
        """A consumer takes messages again."""
        self.resumed.append(consumer)

    def add_consumer(self, consumer: object) -> None:
        """One more."""
        self.consumers.append(consumer)

    def remove_consumer(self, consumer: Any) -> None:
        """One less."""
        consumer.active = False
        self.consumers.remove(consumer)


def bare_client(**more: Any) -> Any:
    """A client that is logged in, with what is given besides its name; its messages aren't counted."""
    counts = SimpleNamespace(own=SimpleNamespace(of=lambda queue: Given()))
    return SimpleNamespace(name="peer -> here", counts=counts, **more)


class Bare:
    """One client's answers and session, and what they rest on."""

    def __init__(self, level: int = versions.V5, *, stored: bool = False, **agreed: Any) -> None:
        self.store = BareStore()
        self.awaiting_flush: dict[object, None] = {}
        self.queues: dict[str, BareQueue] = {}
        self._sequence = 0
        broker = SimpleNamespace(
            now_ms=0,
            awaiting_flush=self.awaiting_flush,
            store=self.store,
            next_sequence=self.next_sequence,
            deadlines=SimpleNamespace(schedule=lambda at_ms, call: SimpleNamespace(cancel=lambda: None)),
            definitions=SimpleNamespace(put=lambda *row: None),
            numbers=SimpleNamespace(take=lambda kind, vhost, name: 7),
            settlements=Ration(WORK_PER_TURN),
            turn=0,
            unkept=SimpleNamespace(hold=lambda outbox: None),
            rationed_log=RationedLog(),
        )
        broker.limit_hits = LimitHits(cast("Any", broker))
        self.world = cast(
            "Any", SimpleNamespace(broker=broker, names=TopicNames(), answers_sent=0, dropped=0, publish_sent=0)
        )
        registry = SimpleNamespace(
            broker=broker,
            world=self.world,
            records={},
            doubts={},
            vhost=SimpleNamespace(name="/"),
            queue_of=self._queue_of,
        )
        self.session = MqttSession(cast("Any", registry), "c", 100 if stored else 0)
        self.counts = SessionCounts(cast("Any", registry.vhost))
        self.transport = SimulatedTransport()
        self.outbox = Outbox([], self.transport)
        self.answers = Answers(self.world, self.outbox)
        self.level = level
        self.answers.agree(Agreed(level=level, **{"in_flight_max": 10, **agreed}), "c")

    def next_sequence(self) -> int:
        """As of a broker."""
        self._sequence += 1
        return self._sequence

    def message(
        self, body: bytes = b"x", qos: int = 1, *, topic: str = "a/b", properties: Properties | None = None
    ) -> Message:
        """One that was published by its topic."""
        address = Address("amq.topic", topic.replace("/", "."))
        return Message(self.next_sequence(), address, properties or BY_QOS[qos], body, 0, len(body), 0, 0)

    def written(self) -> bytes:
        """What was sent since the last call."""
        return b"".join(self.outbox.take())

    def packets(self) -> list[Packet]:
        """The same, decoded."""
        data = self.written()
        found: list[Packet] = []
        position = 0
        while position < len(data):
            decoded = decode(data, position, len(data), self.level, BYTES_MAX)
            assert decoded is not None, data[position:]
            found.append(decoded[0])
            position = decoded[1]
        return found

    def flush(self) -> None:
        """The disk has everything."""
        for waiting in list(self.awaiting_flush):
            committed = cast("Any", waiting)
            del self.awaiting_flush[waiting]
            committed.flushed(committed.mark())

    def _queue_of(self, session: MqttSession, subscription: Any) -> BareQueue | None:
        return self.queues.get("" if subscription.is_own else subscription.filter)
