"""Subscribers of any node get what is published at any node, by every protocol; also after a node was killed."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pika
import pytest
import stomp
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from pika.exceptions import NackError

from tests.support.cluster import Nodes, channel_of
from tests.support.nats_servers import NatsServer
from tests.support.warren_process import WarrenProcess

WAIT_S = 60
PROBE = b"probe"


@pytest.fixture
def start(tmp_path: Path, servers: list[NatsServer]) -> Iterator[Callable[[str], WarrenProcess]]:
    secret = tmp_path / "secret"
    secret.write_text("the secret of this cluster")
    with ExitStack() as stack:
        nodes = stack.enter_context(Nodes(tmp_path, servers))
        options = [f"cluster_secret_file={secret}", "cluster_link=127.0.0.1:0"]
        listen = [f"{protocol}=127.0.0.1:0" for protocol in ("mqtt", "stomp")]
        words = [word for each in options for word in ("--set", each)]
        words += [word for each in listen for word in ("--listen-only", each)]
        yield lambda name: nodes.start(name, *words)


@contextmanager
def mqtt_subscriber(node: WarrenProcess, filter: str) -> Iterator[queue.SimpleQueue[bytes]]:
    """What a clean session of MQTT 5 gets."""
    heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    subscribed: queue.SimpleQueue[bool] = queue.SimpleQueue()
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)

    def subscribe(*_: object) -> None:
        client.subscribe(filter, 1)

    client.username_pw_set("guest", "guest")
    client.on_connect = subscribe
    client.on_subscribe = lambda *_: subscribed.put(True)
    client.on_message = lambda _client, _data, message: heard.put(bytes(message.payload))
    client.connect(*node.addresses["mqtt"])
    client.loop_start()
    try:
        subscribed.get(timeout=WAIT_S)
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


class _Listener(stomp.ConnectionListener):  # type: ignore[misc]  # comes without types
    def __init__(self) -> None:
        self.heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.receipts: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def on_message(self, frame: stomp.utils.Frame) -> None:
        self.heard.put(frame.body.encode())

    def on_receipt(self, frame: stomp.utils.Frame) -> None:
        self.receipts.put(True)


@contextmanager
def stomp_client(node: WarrenProcess) -> Iterator[tuple[stomp.Connection12, _Listener]]:
    """Connected."""
    connection = stomp.Connection12([node.addresses["stomp"]])
    listener = _Listener()
    connection.set_listener("", listener)
    connection.connect("guest", "guest", wait=True)
    try:
        yield connection, listener
    finally:
        connection.disconnect()


def publish_by_mqtt(node: WarrenProcess, body: bytes, topic: str = "a/t", *, retain: bool = False) -> None:
    """Acknowledged."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set("guest", "guest")
    client.connect(*node.addresses["mqtt"])
    client.loop_start()
    client.publish(topic, body, 1, retain).wait_for_publish(WAIT_S)
    client.disconnect()
    client.loop_stop()


def publish_by_stomp(node: WarrenProcess, body: bytes) -> None:
    """With a receipt."""
    with stomp_client(node) as (connection, listener):
        connection.send("/topic/a.t", body, receipt="1")
        listener.receipts.get(timeout=WAIT_S)


def publish_by_amqp(node: WarrenProcess, body: bytes) -> None:
    """Confirmed."""
    with channel_of(node) as channel:
        channel.basic_publish("amq.topic", "a.t", body, pika.BasicProperties(delivery_mode=2))


def until_heard(publish: Callable[[], None], heard: queue.SimpleQueue[bytes]) -> None:
    """Publish probes until one arrives: who subscribes is known to other nodes a moment later."""
    for _ in range(200):
        publish()
        try:
            heard.get(timeout=0.3)
            return
        except queue.Empty:
            continue
    raise AssertionError("nothing has arrived")


def next_of(heard: queue.SimpleQueue[bytes]) -> bytes:
    """The next that is no probe."""
    while (body := heard.get(timeout=WAIT_S)) == PROBE:
        pass
    return body


def test_every_protocol_and_every_node(start: Callable[[str], WarrenProcess]) -> None:
    n1, n2, n3 = (start(name) for name in ("n1", "n2", "n3"))
    with mqtt_subscriber(n2, "a/#") as by_mqtt, stomp_client(n3) as (connection, listener), channel_of(n1) as channel:
        connection.subscribe("/topic/a.*", "1", headers={"receipt": "s"})
        listener.receipts.get(timeout=WAIT_S)
        name = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(name, "amq.topic", "a.t")
        for node in (n1, n2, n3):
            until_heard(lambda node=node: publish_by_amqp(node, PROBE), by_mqtt)  # type: ignore[misc]
            until_heard(lambda node=node: publish_by_amqp(node, PROBE), listener.heard)  # type: ignore[misc]
        with channel_of(n2) as other, channel_of(n3) as third:
            for each in (other, third):
                while True:
                    each.basic_publish("amq.topic", "a.t", PROBE)
                    if next((body for _, _, body in channel.consume(name, inactivity_timeout=0.3)), None) is not None:
                        break
                    channel.cancel()
                channel.cancel()
        expected = []
        for publish in (publish_by_mqtt, publish_by_stomp, publish_by_amqp):
            for node in (n1, n2, n3):
                expected.append(f"{publish.__name__} {node.amqp_port}".encode())
                publish(node, expected[-1])
        assert [next_of(by_mqtt) for _ in expected] == expected
        assert [next_of(listener.heard) for _ in expected] == expected
        found: list[bytes] = []
        for method, _, body in channel.consume(name, auto_ack=True, inactivity_timeout=WAIT_S):
            assert method is not None, "nothing more has come"
            if body != PROBE:
                found.append(body)
            if len(found) == len(expected):
                break
        assert found == expected


def test_a_node_that_is_killed_and_comes_back(start: Callable[[str], WarrenProcess]) -> None:
    n1, n2 = start("n1"), start("n2")
    with mqtt_subscriber(n2, "a/t") as heard:
        until_heard(lambda: publish_by_amqp(n1, PROBE), heard)
        n2.kill()
    # Nobody waits for the one that is gone, once that is known.
    with channel_of(n1) as channel:
        channel.queue_declare("rest", exclusive=True)
        channel.queue_bind("rest", "amq.topic", "a.t")
        while True:
            try:
                channel.basic_publish("amq.topic", "a.t", b"1")
                break
            except NackError:  # while it isn't known that the node is gone
                continue
    n2 = start("n2")
    with mqtt_subscriber(n2, "a/t") as heard:
        until_heard(lambda: publish_by_mqtt(n1, PROBE), heard)
        publish_by_stomp(n1, b"2")
        assert next_of(heard) == b"2"


def retained_at(node: WarrenProcess, expected: bytes | None) -> None:
    """Subscribe anew until this is what is retained for `r/t`; another topic's message says that there is none."""
    for _ in range(200):
        with mqtt_subscriber(node, "r/t") as heard:
            publish_by_mqtt(node, b"nothing is retained", "r/t")
            found = heard.get(timeout=WAIT_S)
            if found == (expected if expected is not None else b"nothing is retained"):
                return
    raise AssertionError("it isn't")


def test_retained_messages_are_on_all_nodes(start: Callable[[str], WarrenProcess]) -> None:
    n1, n2 = start("n1"), start("n2")
    publish_by_mqtt(n1, b"small", "r/t", retain=True)
    retained_at(n2, b"small")
    large = bytes(range(256)) * 12_000
    publish_by_mqtt(n2, large, "r/t", retain=True)
    retained_at(n1, large)
    n2.kill()
    publish_by_mqtt(n1, b"", "r/t", retain=True)
    n2 = start("n2")
    retained_at(n2, None)
    n3 = start("n3")
    retained_at(n3, None)
    publish_by_mqtt(n3, b"last", "r/t", retain=True)
    retained_at(n1, b"last")
    retained_at(n2, b"last")


class Persistent:
    """A client of MQTT 5 whose session outlives its connections."""

    def __init__(self, node: WarrenProcess, client_id: str, *, clean: bool = False) -> None:
        self.heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.ended: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.subscribed: queue.SimpleQueue[bool] = queue.SimpleQueue()
        connected: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self.client = client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5, reconnect_on_failure=False
        )
        client.username_pw_set("guest", "guest")
        client.on_message = lambda _client, _data, message: self.heard.put(bytes(message.payload))
        client.on_subscribe = lambda *_: self.subscribed.put(True)
        client.on_connect = lambda _c, _d, flags, _code, _p: connected.put(flags.session_present)
        client.on_disconnect = lambda _c, _d, _flags, code, _p: self.ended.put(code.value)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 3600
        host, port = node.addresses["mqtt"]
        client.will_set("will/t", b"will")
        client.connect(host, port, clean_start=clean, properties=properties)
        client.loop_start()
        self.was_there = connected.get(timeout=WAIT_S)

    def subscribe(self, filter: str) -> None:
        self.client.subscribe(filter, 1)
        self.subscribed.get(timeout=WAIT_S)

    def leave(self) -> None:
        self.client.disconnect()
        self.ended.get(timeout=WAIT_S)
        self.client.loop_stop()


def knows_others(node: WarrenProcess, other: WarrenProcess) -> None:
    """Return once what is published at one reaches the other."""
    with mqtt_subscriber(other, "known/t") as heard:
        for _ in range(200):
            publish_by_mqtt(node, PROBE, "known/t")
            try:
                heard.get(timeout=0.3)
                return
            except queue.Empty:
                continue
    raise AssertionError("it doesn't")


def test_a_client_goes_on_at_another_node(start: Callable[[str], WarrenProcess]) -> None:
    n1, n2 = start("n1"), start("n2")
    knows_others(n1, n2)
    knows_others(n2, n1)
    first = Persistent(n1, "c")
    assert not first.was_there
    first.subscribe("a/#")
    publish_by_mqtt(n1, b"1")
    assert first.heard.get(timeout=WAIT_S) == b"1"
    with mqtt_subscriber(n1, "will/t") as wills:
        # Taken over where it was; its will is published there, once.
        second = Persistent(n2, "c")
        assert first.ended.get(timeout=WAIT_S) == 0x8E
        assert second.was_there
        assert wills.get(timeout=WAIT_S) == b"will"
    until_heard(lambda: publish_by_mqtt(n1, b"2"), second.heard)
    second.leave()
    third = Persistent(n1, "c")
    assert third.was_there
    third.leave()
    expected = [f"{number}".encode() for number in range(200)]
    for body in expected:
        publish_by_mqtt(n2, body) if body.endswith(b"0") else publish_by_amqp(n1, body)
    fourth = Persistent(n2, "c")
    assert fourth.was_there
    found: list[bytes] = []
    while set(expected) - set(found):
        found.append(fourth.heard.get(timeout=WAIT_S))
    fourth.leave()
    fifth = Persistent(n1, "c", clean=True)
    assert not fifth.was_there
    fifth.leave()
    sixth = Persistent(n2, "c")
    assert sixth.was_there
    sixth.leave()
