"""Subscribers of any node get what is published at any node, by every protocol; also after a node was killed."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest
import stomp
from paho.mqtt.enums import CallbackAPIVersion
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


def publish_by_mqtt(node: WarrenProcess, body: bytes) -> None:
    """Acknowledged."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set("guest", "guest")
    client.connect(*node.addresses["mqtt"])
    client.loop_start()
    client.publish("a/t", body, 1).wait_for_publish(WAIT_S)
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
        channel.basic_publish("amq.topic", "a.t", body)


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
