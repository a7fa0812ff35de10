"""What the kept data directories hold: how it is put there, by clients of any version, and what must be there later.

All clients are others' (Pika, Paho), or speak by bytes that have been the same since the first version.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, Final

import paho.mqtt.client as paho
import pika
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties
from pika.adapters.blocking_connection import BlockingChannel

from tests.support.stream_wire import StreamWireClient
from tests.support.until import until
from warren.adapters.stream.codec import commands

Addresses = Mapping[str, tuple[str, int]]

OPTIONS: Final = ("--set", "mqtt_max_session_expiry_s=4294967295")
"""Sessions of MQTT that never end: those that are kept would else have ended by now."""

PLAIN: Final = "plain"
RANKED: Final = "ranked"
REJECTED: Final = "rejected"
GRAVES: Final = "graves"
QUORUM: Final = "quorum"
LIMITED: Final = "limited"
LATER: Final = "later"
CAPPED: Final = "capped"
STREAM: Final = "stream"

DURABLE: Final = {
    PLAIN: {},
    RANKED: {"x-max-priority": 5},
    REJECTED: {"x-dead-letter-exchange": "to-graves"},
    GRAVES: {},
    QUORUM: {"x-queue-type": "quorum", "x-delivery-limit": 5},
    LIMITED: {"x-max-length": 3, "x-overflow": "drop-head"},
    LATER: {},
    CAPPED: {},
}

SETTLED: Final = 5
"""So many messages of PLAIN are acknowledged before the end."""

BODIES: Final = [b"%d" % number for number in range(SETTLED, 20)] + [b"L" * 100_000]
"""What is left in PLAIN, in order."""

HEADERS: Final[dict[str, Any]] = {"text": "grün", "number": 7, "large": 1 << 40, "yes": True, "table": {"a": [1, "b"]}}

QUEUED: Final = {
    PLAIN: BODIES,
    RANKED: [b"5", b"3", b"1"],
    LIMITED: [b"2", b"3", b"4"],
    REJECTED: [],
    GRAVES: [REJECTED.encode(), b"last"],
    QUORUM: [QUORUM.encode()],
    LATER: [b"delayed"],
    CAPPED: [b"second"],
}
"""What is in the queues, in order."""

FAILURES: Final = 2
"""So often the message of QUORUM was given back."""

NOTED: Final = 7
"""The offset that a reader of the stream left."""

RECORDS: Final = [b"record %d" % number for number in range(10)]

DEVICE, EXACT = "device", "exact"
TOPICS: Final = {DEVICE: ("plant/+/heat", 1), EXACT: ("line/#", 2)}
SAID: Final = {DEVICE: ("plant/1/heat", [b"20", b"21", b"22"]), EXACT: ("line/a/b", [b"one", b"two", b"three"])}
RETAINED: Final = ("plant/1/state", b"on")

USER, PASSWORD = "ada", "countess"

WORDS: Final = (
    ("add_user", USER, PASSWORD),
    ("set_permissions", USER, "^$", ".*", "^plain$"),
    ("set_policy", "cap", f"^{CAPPED}$", '{"max-length": 1}'),
)
"""Of `warren ctl`, before all else."""


@contextmanager
def channel_of(addresses: Addresses, user: str = "guest", password: str = "guest") -> Iterator[BlockingChannel]:
    """A channel with confirms."""
    host, port = addresses["amqp"]
    login = pika.PlainCredentials(user, password)
    with closing(pika.BlockingConnection(pika.ConnectionParameters(host, port, "/", login, heartbeat=0))) as line:
        channel = line.channel()
        channel.confirm_delivery()
        yield channel


class Device:
    """An MQTT 5 client, whose session may stay; got: topic, body and level of what came, in order."""

    def __init__(self, addresses: Addresses, name: str, *, stays: bool = True) -> None:
        self.got: list[tuple[str, bytes, int, bool]] = []
        self.session_present = False
        self._connected = self._subscribed = False
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5)
        self.client.username_pw_set("guest", "guest")
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = self._on_subscribe
        self.client.on_message = self._on_message
        properties = PahoProperties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 0xFFFFFFFF if stays else 0
        host, port = addresses["mqtt"]
        self.client.connect(host, port, clean_start=not stays, properties=properties)
        self.client.loop_start()
        self.wait(lambda: self._connected)

    def subscribe(self, topic: str, qos: int) -> None:
        """Subscribe, and wait for the answer."""
        self._subscribed = False
        self.client.subscribe(topic, qos)
        self.wait(lambda: self._subscribed)

    def publish(self, topic: str, body: bytes, qos: int, *, retain: bool = False) -> None:
        """Publish, and wait until that is finished."""
        self.client.publish(topic, body, qos, retain).wait_for_publish(60)

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait for something to come true."""
        until(condition, time.sleep)

    def close(self) -> None:
        """Disconnect; the session stays."""
        self.client.disconnect()
        self.client.loop_stop()

    def _on_connect(self, _client: object, _data: object, flags: Any, _code: object, _properties: object) -> None:
        self.session_present = bool(flags.session_present)
        self._connected = True

    def _on_subscribe(self, *_: object) -> None:
        self._subscribed = True

    def _on_message(self, _client: object, _data: object, message: Any) -> None:
        self.got.append((message.topic, message.payload, message.qos, bool(message.retain)))


def fill(addresses: Addresses, *, streams: bool, notes: bool) -> None:
    """Put all of it into a broker that is new, but for what WORDS did.  It is confirmed when this returns."""
    with channel_of(addresses) as channel:
        _declare(channel, streams=streams)
        _publish(channel)
        _settle(channel)
        if streams:
            for body in RECORDS:
                channel.basic_publish("", STREAM, body, pika.BasicProperties(delivery_mode=2))
    _speak_mqtt(addresses)
    if notes:
        _note(addresses)


def _declare(channel: BlockingChannel, *, streams: bool) -> None:
    channel.exchange_declare("to-graves", "fanout", durable=True)
    channel.exchange_declare("places", "topic", durable=True, arguments={"alternate-exchange": "to-graves"})
    channel.exchange_declare("kinds", "headers", durable=True)
    channel.exchange_declare("delays", "x-delayed-message", durable=True, arguments={"x-delayed-type": "direct"})
    channel.exchange_bind("kinds", "places", "inner.#")
    for name, arguments in DURABLE.items():
        channel.queue_declare(name, durable=True, arguments=arguments)
    channel.queue_bind(PLAIN, "places", "plain.*")
    channel.queue_bind(LIMITED, "kinds", "", {"x-match": "all", "kind": "short"})
    channel.queue_bind(LATER, "delays", "later")
    channel.queue_bind(GRAVES, "to-graves", "")
    if streams:
        channel.queue_declare(STREAM, durable=True, arguments={"x-queue-type": "stream"})


def _publish(channel: BlockingChannel) -> None:
    kept = pika.BasicProperties(delivery_mode=2)
    full = pika.BasicProperties(
        "text/plain", "utf-8", HEADERS, 2, 3, "correlation", "answers", None, "id", 1_700_000_000, "kind", None, "app"
    )
    for number in range(20):
        channel.basic_publish("places", "plain.x", b"%d" % number, full if number == SETTLED else kept)
    channel.basic_publish("", PLAIN, BODIES[-1], kept)
    for priority in (1, 5, 3):
        properties = pika.BasicProperties(delivery_mode=2, priority=priority)
        channel.basic_publish("", RANKED, b"%d" % priority, properties)
    for number in range(5):
        short = pika.BasicProperties(delivery_mode=2, headers={"kind": "short"})
        channel.basic_publish("kinds", "", b"%d" % number, short)
    for body in (b"first", b"second"):
        channel.basic_publish("", CAPPED, body, kept)
    for queue in (REJECTED, QUORUM):
        channel.basic_publish("", queue, queue.encode(), kept)
    delayed = pika.BasicProperties(delivery_mode=2, headers={"x-delay": 1_000})
    channel.basic_publish("delays", "later", b"delayed", delayed)
    channel.queue_declare("passing")
    channel.basic_publish("", "passing", b"transient")


def _settle(channel: BlockingChannel) -> None:
    for _ in range(SETTLED):
        method, _, _ = channel.basic_get(PLAIN)
        assert method is not None
        channel.basic_ack(method.delivery_tag)
    method, _, _ = channel.basic_get(REJECTED)
    assert method is not None
    channel.basic_reject(method.delivery_tag, requeue=False)
    for _ in range(FAILURES):
        method, _, _ = channel.basic_get(QUORUM)
        assert method is not None
        channel.basic_nack(method.delivery_tag, requeue=True)
    # Behind it, all of that is done; and the settlements are on disk with what is published now.
    channel.queue_declare(GRAVES, passive=True)
    channel.basic_publish("", GRAVES, b"last", pika.BasicProperties(delivery_mode=2))


def _speak_mqtt(addresses: Addresses) -> None:
    for name, (topic, qos) in TOPICS.items():
        away = Device(addresses, name)
        away.subscribe(topic, qos)
        away.close()
    speaker = Device(addresses, "speaker", stays=False)
    for name, (topic, bodies) in SAID.items():
        for body in bodies:
            speaker.publish(topic, body, TOPICS[name][1])
    speaker.publish(*RETAINED, 1, retain=True)
    speaker.close()


def _note(addresses: Addresses) -> None:
    with StreamWireClient(addresses["stream"]) as client:
        client.log_in()
        client.tell(commands.StoreOffset("reader", STREAM, NOTED))
        until(lambda: _noted(client) == NOTED, time.sleep)
        # The answer waits for the disk, and what was noted goes with it.
        client.ask(commands.Create, "behind", {})


def _noted(client: StreamWireClient) -> int:
    return int(client.ask(commands.QueryOffset, "reader", STREAM).offset)


def missing(addresses: Addresses, *, streams: bool, notes: bool, counts_failures: bool) -> list[str]:
    """What isn't as it should be, in sentences; none of it is taken away."""
    found = Findings()
    with channel_of(addresses) as channel:
        for name, arguments in DURABLE.items():
            # With other arguments it would be refused.
            channel.queue_declare(name, durable=True, arguments=arguments)
        until(lambda: channel.queue_declare(LATER, passive=True).method.message_count == 1, time.sleep)
        for queue, bodies in QUEUED.items():
            found.compare(queue, [body for _, _, body in browsed(channel, queue)], bodies)
        _, first, _ = browsed(channel, PLAIN)[0]
        found.compare("headers", first.headers, HEADERS)
        named = (first.content_type, first.correlation_id, first.message_id, first.timestamp)
        found.compare("properties", named, ("text/plain", "correlation", "id", 1_700_000_000))
        found.compare("a death", browsed(channel, GRAVES)[0][1].headers["x-death"][0]["queue"], REJECTED)
        ((_, twice_failed, _),) = browsed(channel, QUORUM)
        if counts_failures:
            # Each look counts, too.
            found.compare("failed deliveries", twice_failed.headers.get("x-delivery-count", 0) >= FAILURES, True)
        if streams:
            channel.queue_declare(STREAM, durable=True, arguments={"x-queue-type": "stream"})
            found.compare(STREAM, _read(channel), RECORDS)
    _compare_retained(addresses, found)
    if notes:
        with StreamWireClient(addresses["stream"]) as client:
            client.log_in()
            found.compare("a reader's offset", _noted(client), NOTED)
    return found.sentences


def not_working(addresses: Addresses) -> list[str]:
    """What doesn't act as it should, in sentences; this changes what is there."""
    found = Findings()
    with channel_of(addresses) as channel:
        short = pika.BasicProperties(delivery_mode=2, headers={"kind": "short"})
        channel.basic_publish("places", "inner.x", b"new", short)
        found.compare("bindings", [body for _, _, body in browsed(channel, LIMITED)], [b"3", b"4", b"new"])
        channel.basic_publish("places", "nowhere", b"stray")
        graves = [body for _, _, body in browsed(channel, GRAVES)]
        found.compare("the alternate exchange", graves, [*QUEUED[GRAVES], b"stray"])
        channel.basic_publish("", CAPPED, b"third")
        found.compare("a policy", [body for _, _, body in browsed(channel, CAPPED)], [b"third"])
    with channel_of(addresses, USER, PASSWORD) as channel:
        channel.queue_declare(PLAIN, passive=True)
        try:
            channel.queue_declare("not hers")
        except pika.exceptions.ChannelClosedByBroker as refused:
            found.compare("permissions", refused.reply_code, 403)
        else:
            found.sentences.append("permissions: she may declare what isn't hers")
    for name, (topic, bodies) in SAID.items():
        device = Device(addresses, name)
        found.compare(f"the session of {name}", device.session_present, True)
        device.wait(lambda device=device, bodies=bodies: len(device.got) >= len(bodies))  # type: ignore[misc]
        device.close()
        found.compare(name, device.got, [(topic, body, TOPICS[name][1], False) for body in bodies])
    return found.sentences


class Findings:
    """What isn't as it should be, in sentences."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def compare(self, what: str, seen: object, expected: object) -> None:
        """Note it if this isn't what was expected."""
        if seen != expected:
            self.sentences.append(f"{what}: {seen!r}, not {expected!r}")


def browsed(channel: BlockingChannel, queue: str) -> list[tuple[Any, Any, bytes]]:
    """All that is ready in a queue, given back behind that."""
    found: list[tuple[Any, Any, bytes]] = []
    while True:
        method, properties, body = channel.basic_get(queue)
        if method is None or body is None:
            break
        found.append((method, properties, body))
    for method, _, _ in found:
        channel.basic_nack(method.delivery_tag, requeue=True)
    return found


def _read(channel: BlockingChannel) -> list[bytes]:
    """A stream from its beginning, as much as there should be."""
    channel.basic_qos(prefetch_count=len(RECORDS))
    found: list[bytes] = []
    for method, _, body in channel.consume(STREAM, arguments={"x-stream-offset": "first"}, inactivity_timeout=60):
        if method is None or body is None:
            break
        found.append(body)
        channel.basic_ack(method.delivery_tag)
        if len(found) == len(RECORDS):
            break
    channel.cancel()
    return found


def _compare_retained(addresses: Addresses, found: Findings) -> None:
    looker = Device(addresses, "looker", stays=False)
    looker.subscribe(RETAINED[0], 1)
    looker.wait(lambda: bool(looker.got))
    looker.close()
    found.compare("what is retained", looker.got, [(*RETAINED, 1, True)])
