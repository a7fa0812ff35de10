"""A source and a destination at a Kafka cluster, by librdkafka; each has one thread that asks the library.

source       a member of a consumer group; an offset is committed when the destination has all up to it
destination  an idempotent producer, to all in-sync replicas: librdkafka's own retries neither double nor reorder
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import trio

from warren.plugins.bridging.ends import Arrived, Outcome
from warren.plugins.shovel.kafka_library import POLL_S, Ear, configuration, kafka, made, reach, words
from warren.plugins.shovel.kafka_messages import KafkaMessage, headers_for, key_for, topic_for

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from warren.core.messages.properties import Properties
    from warren.plugins.shovel.kafka_definition import KafkaDestinationDefinition, KafkaSourceDefinition, KafkaUri

BATCH_MAX: Final = 256
"""Records taken from the library at once."""

UNTAKEN_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of records that nobody has taken yet: beyond that no more are fetched."""

OUTGOING_MAX: Final = 10_000
OUTGOING_BYTES_MAX: Final = 32 * 1024 * 1024
"""Under way to the cluster, before no more are taken."""

DELIVERY_MS: Final = 30_000
"""How long the library tries to deliver a record before that is told; it is sent again then."""

FETCH_KBYTES: Final = 4 * 1024
"""What the library fetches ahead."""

MESSAGE_BYTES_MAX: Final = 128 * 1024 * 1024
"""As much as a message's body may have; what the cluster takes is for it to say."""

POLL_INTERVAL_MS: Final = 86_400_000
"""The most that Kafka allows: a destination that takes nothing for hours doesn't cost the membership of the group."""

SESSION_MS: Final = 10_000
"""After so long the cluster gives the partitions of a member that was killed to others, the restarted one included."""

GOODBYE_S: Final = 1.0


class _Threaded:
    """What both ends have: a thread, until it is let go.  ear: what that has to say."""

    def __init__(self) -> None:
        self.ear = Ear()
        self.wanted = True
        self._over = trio.Event()

    async def begin(self, peers: trio.Nursery, held: AsyncExitStack) -> None:
        held.push_async_callback(self.aclose)
        peers.start_soon(self._run)

    async def aclose(self) -> None:
        """End the thread, also when cancelled; it takes leave of the cluster."""
        self.wanted = False
        with trio.CancelScope(shield=True):
            await self._over.wait()

    async def _run(self) -> None:
        try:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(self._guarded, limiter=trio.CapacityLimiter(1))
        finally:
            self._over.set()

    def _guarded(self) -> None:
        try:
            self.work()
        except Exception as error:
            self.ear.fail(f"Kafka: {error}")

    def work(self) -> None:
        """In the thread, until it isn't wanted any more."""
        raise NotImplementedError


async def reached(client: Any, ear: Ear, uri: KafkaUri) -> str:
    """The cluster's id, once it has answered; PeerError when it doesn't within the URI's connection timeout."""
    timeout_s = uri.connection_timeout_ms / 1000
    return await trio.to_thread.run_sync(lambda: reach(client, ear, timeout_s), limiter=trio.CapacityLimiter(1))


class KafkaSource(_Threaded):
    """Implements ends.Source.  prefetch: records that may be under way.  cluster: its id."""

    waiting: int | None = None

    def __init__(self, definition: KafkaSourceDefinition, uri: KafkaUri, prefetch: int, client_id: str) -> None:
        super().__init__()
        self._definition = definition
        self._prefetch = prefetch
        self._library = kafka()
        options = configuration(
            uri,
            self.ear,
            client_id,
            group_id=definition.group or client_id,
            auto_offset_reset=definition.start,
            enable_auto_commit=False,
            queued_max_messages_kbytes=FETCH_KBYTES,
            max_poll_interval_ms=POLL_INTERVAL_MS,
            session_timeout_ms=SESSION_MS,
        )
        self.consumer = made(self._library.Consumer, options)
        self.cluster = ""
        self._arrived: deque[KafkaMessage] = deque()
        self._fetched_bytes = 0
        self._taken_bytes = 0
        self._outstanding: deque[KafkaMessage] = deque()
        self._done: deque[KafkaMessage] = deque()

    # Trio's and the thread's: each counts what it does itself, and deques are what they hand over.

    async def receive(self) -> Sequence[KafkaMessage]:
        while not self._arrived:
            await self.ear.changed()
        await trio.lowlevel.checkpoint()
        batch = [self._arrived.popleft() for _ in range(min(len(self._arrived), BATCH_MAX))]
        self._taken_bytes += sum(len(each.body) for each in batch)
        self._outstanding.extend(batch)
        return batch

    def ack(self, message: KafkaMessage) -> None:
        if self.ear.error is not None:
            raise self.ear.error
        while True:
            oldest = self._outstanding.popleft()
            self._done.append(oldest)
            if oldest is message:
                break

    def ack_alone(self, message: KafkaMessage) -> None:
        """An offset says that all before it is done with."""

    # The thread

    def work(self) -> None:
        consumer = self.consumer
        paused = False
        try:
            consumer.subscribe(list(self._definition.topics), on_revoke=self._revoked)
            while self.wanted and self.ear.error is None:
                full = self._full
                if full:
                    # Again each time: what the group has assigned meanwhile isn't paused.
                    consumer.pause(consumer.assignment())
                elif paused:
                    consumer.resume(consumer.assignment())
                paused = full
                for record in consumer.consume(1 if full else BATCH_MAX, POLL_S):
                    self._take(record)
                self._commit(asynchronous=True)
                if self._arrived:
                    self.ear.wake()
        finally:
            with suppress(Exception):
                self._commit(asynchronous=False)
            consumer.close()

    @property
    def _full(self) -> bool:
        under_way = len(self._arrived) + len(self._outstanding)
        return under_way >= self._prefetch or self._fetched_bytes - self._taken_bytes >= UNTAKEN_BYTES_MAX

    def _take(self, record: Any) -> None:
        error = record.error()
        if error is None:
            message = KafkaMessage(record, self.cluster)
            self._fetched_bytes += len(message.body)
            self._arrived.append(message)
        elif not error.retriable() and error.code() != self._library.KafkaError._PARTITION_EOF:
            self.ear.fail(f"Kafka: {error.str()}")

    def _commit(self, *, asynchronous: bool) -> None:
        done: dict[tuple[str, int], int] = {}
        while self._done:
            message = self._done.popleft()
            done[message.topic, message.partition] = message.offset + 1
        if done:
            offsets = [self._library.TopicPartition(topic, part, offset) for (topic, part), offset in done.items()]
            with suppress(self._library.KafkaException):
                # What isn't committed comes again.
                self.consumer.commit(offsets=offsets, asynchronous=asynchronous)

    def _revoked(self, consumer: Any, partitions: Any) -> None:
        """Others have these partitions from now on: what is done there is said first."""
        self._commit(asynchronous=False)


class KafkaDestination(_Threaded):
    """Implements ends.Destination."""

    def __init__(self, definition: KafkaDestinationDefinition, uri: KafkaUri, client_id: str) -> None:
        super().__init__()
        self._definition = definition
        self._library = kafka()
        options = configuration(
            uri,
            self.ear,
            client_id,
            enable_idempotence=True,
            acks="all",
            delivery_timeout_ms=DELIVERY_MS,
            message_max_bytes=MESSAGE_BYTES_MAX,
            linger_ms=5,
        )
        self.producer = made(self._library.Producer, options)
        self._last_number = 0
        self._under_way = 0
        self._under_way_bytes = 0
        self._settled: deque[tuple[int, int, str | None, bool]] = deque()
        self._producing = threading.Lock()
        self._purged = False

    @property
    def blocked(self) -> str | None:
        """It takes what it is given, until it says of a record that it can't be delivered."""
        return None

    async def ready(self) -> None:
        await trio.lowlevel.checkpoint()
        while self._under_way >= OUTGOING_MAX or self._under_way_bytes >= OUTGOING_BYTES_MAX:
            await self.ear.changed()
        if self.ear.error is not None:
            raise self.ear.error

    def publish(self, message: Arrived, exchange: str, routing_key: str, properties: Properties) -> int:
        self._last_number = number = self._last_number + 1
        definition, body = self._definition, message.body
        try:
            with self._producing:
                if self._purged:
                    raise BufferError("not sent, as the connection is being closed")
                self.producer.produce(
                    topic_for(definition.topic, message, exchange, routing_key, properties),
                    body,
                    key_for(definition.key, message, exchange, routing_key, properties),
                    headers=headers_for(properties),
                    on_delivery=lambda error, record: self._told(number, len(body), error),
                )
        except (self._library.KafkaException, BufferError) as error:
            self._settled.append((number, len(body), f"Kafka: {words(error)}", isinstance(error, BufferError)))
            self.ear.wake()
        self._under_way += 1
        self._under_way_bytes += len(body)
        return number

    def flush(self) -> None:
        """The library sends by itself."""

    async def wait_ended(self) -> None:
        while True:
            await self.ear.changed()

    async def outcomes(self) -> Sequence[Outcome]:
        while not self._settled:
            await self.ear.changed()
        await trio.lowlevel.checkpoint()
        return self._count_settled()

    def _count_settled(self) -> list[Outcome]:
        """Take what has been said of records."""
        found = []
        while self._settled:
            number, size, refused, passing = self._settled.popleft()
            self._under_way -= 1
            self._under_way_bytes -= size
            found.append(Outcome(number, False, refused, passing))
        self.ear.wake()
        return found

    # The thread

    def work(self) -> None:
        producer = self.producer
        try:
            while self.wanted and self.ear.error is None:
                producer.poll(POLL_S)
        finally:
            # What nobody waits for any more isn't sent, as it comes again; nor is what is published behind it, as that
            # would overtake it.
            with self._producing:
                self._purged = True
                producer.purge()
            producer.flush(GOODBYE_S)

    def _told(self, number: int, size: int, error: Any) -> None:
        if error is None:
            self._settled.append((number, size, None, False))
        else:
            self._settled.append((number, size, f"Kafka: {error.str()}", self._is_passing(error)))
            if error.fatal():
                self.ear.fail(f"Kafka: {error.str()}")
        self.ear.wake()

    def _is_passing(self, error: Any) -> bool:
        """Whether it says nothing of the record."""
        codes = self._library.KafkaError
        return error.retriable() or error.code() in (
            codes._MSG_TIMED_OUT,
            codes._TRANSPORT,
            codes._ALL_BROKERS_DOWN,
            codes._AUTHENTICATION,
            codes._TIMED_OUT_QUEUE,
            codes._PURGE_QUEUE,
            codes._PURGE_INFLIGHT,
            codes.NOT_ENOUGH_REPLICAS,
            codes.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
            codes.TOPIC_AUTHORIZATION_FAILED,
            codes.CLUSTER_AUTHORIZATION_FAILED,
        )


async def open_source(
    peers: trio.Nursery,
    held: AsyncExitStack,
    definition: KafkaSourceDefinition,
    uri: KafkaUri,
    prefetch: int,
    client_id: str,
) -> KafkaSource:
    """Join the group; PeerError if the cluster can't be reached.  client_id: also the group, where none is named."""
    source = KafkaSource(definition, uri, prefetch, client_id)
    source.cluster = await reached(source.consumer, source.ear, uri)
    await source.begin(peers, held)
    return source


async def open_destination(
    peers: trio.Nursery,
    held: AsyncExitStack,
    definition: KafkaDestinationDefinition,
    uri: KafkaUri,
    client_id: str,
) -> KafkaDestination:
    """Have a producer; PeerError if the cluster can't be reached."""
    destination = KafkaDestination(definition, uri, client_id)
    await reached(destination.producer, destination.ear, uri)
    await destination.begin(peers, held)
    return destination
