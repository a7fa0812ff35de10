"""Clients of WebSocket for Node.js (npm): @stomp/stompjs, mqtt and @cloudamqp/amqp-client; pika is at the other end.

Over TLS they check the broker's certificate against the authority that `warren tls dev` makes with it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.interop.clients import FOLDER, need, run_for_json
from tests.support.warren_process import WarrenProcess, warren_process
from warren.gateway.command_line.development import Made, make_certificates

LARGE = "\u00e4" * 150_000

SENT = ["first", "gr\u00fc\u00dfe", "", LARGE, "last"]

RECEIVED = ["first", "gr\u00fc\u00dfe", "", len(LARGE), "last"]
"""What the programs print of it: long bodies as their length."""

WRITTEN = [f"gr\u00fc\u00dfe {number}" for number in range(len(SENT))]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """What `warren tls dev` makes."""
    return make_certificates(tmp_path_factory.mktemp("tls"), [], "guest", datetime.now(UTC))


@pytest.fixture(scope="module")
def broker(certificates: Made) -> Iterator[WarrenProcess]:
    """A broker with WebSocket listeners; a traceback in its log fails the last test of the module."""
    files = {"certificate": certificates.path("server.pem"), "key": certificates.path("server.key")}
    options = [word for name, path in files.items() for word in ("--set", f"tls_{name}_file={path}")]
    listen = ("amqp=127.0.0.1:0", "ws=127.0.0.1:0", "wss=127.0.0.1:0")
    with warren_process(listen=listen, options=options) as running:
        yield running
        assert "Traceback" not in running.log.read_text()


@pytest.fixture
def channel(broker: WarrenProcess) -> Iterator[BlockingChannel]:
    """pika's, with confirms."""
    with pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", broker.amqp_port)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel


@pytest.fixture
def trusting(certificates: Made) -> Mapping[str, str]:
    """The environment in which Node.js trusts the broker's certificate."""
    return {"NODE_EXTRA_CA_CERTS": str(certificates.path("ca.pem"))}


def run(program: str, package: str, *arguments: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What a program prints that uses a package."""
    node = shutil.which("node") or ""
    need(bool(node), "Node.js")
    need((FOLDER / "node" / "node_modules" / package).is_dir(), f"{package} (npm ci --prefix tests/interop/node)")
    return run_for_json([node, str(FOLDER / "node" / program), *arguments], environment=environment)


def address(broker: WarrenProcess, path: str, scheme: str = "ws") -> str:
    return f"{scheme}://127.0.0.1:{broker.addresses[scheme][1]}{path}"


def queues(channel: BlockingChannel, name: str) -> tuple[str, str]:
    """Two new queues, the first with the messages of SENT."""
    pair = f"{name}-sent", f"{name}-written"
    for queue in pair:
        channel.queue_declare(queue)
    for body in SENT:
        channel.basic_publish("", pair[0], body.encode(), pika.BasicProperties(content_type="text/plain"))
    return pair


def take(channel: BlockingChannel, queue: str, count: int) -> list[str]:
    """So many messages of a queue, which is empty and deleted then."""
    bodies = []
    for _ in range(count):
        bodies.append(channel.basic_get(queue, auto_ack=True)[2].decode())
    assert channel.queue_delete(queue).method.message_count == 0
    return bodies


@pytest.mark.parametrize("path", ["/ws", "/", "/stomp"])
def test_stompjs(broker: WarrenProcess, channel: BlockingChannel, path: str) -> None:
    source, destination = queues(channel, "stompjs")
    result = run("websocket_stomp.js", "@stomp/stompjs", address(broker, path), source, str(len(SENT)), destination)
    assert result["bodies"] == RECEIVED
    assert take(channel, destination, len(SENT)) == WRITTEN
    assert take(channel, source, 0) == []
    assert result["version"] == "1.2"
    assert result["heartbeat"] == "10000,10000"
    assert result["subprotocol"] == "v12.stomp"
    assert result["extensions"].startswith("permessage-deflate")
    assert result["close"] == 1000


@pytest.mark.parametrize("path", ["/ws", "/", "/ws/amqp"])
def test_amqp_client_js(broker: WarrenProcess, channel: BlockingChannel, path: str) -> None:
    source, destination = queues(channel, "amqp-client")
    result = run(
        "websocket_amqp.js", "@cloudamqp/amqp-client", address(broker, path), source, str(len(SENT)), destination
    )
    assert result["bodies"] == RECEIVED
    assert take(channel, destination, len(SENT)) == WRITTEN
    assert take(channel, source, 0) == []


def mqtt(broker: WarrenProcess, task: str, version: int, path: str, topic: str, count: int) -> dict[str, Any]:
    arguments: Sequence[str] = (task, address(broker, path), str(version), f"mqtt-js-{version}", topic, str(count))
    return run("websocket_mqtt.js", "mqtt", *arguments)


@pytest.mark.parametrize(("version", "path"), [(3, "/mqtt"), (4, "/mqtt"), (5, "/ws")])
def test_mqtt_js(broker: WarrenProcess, channel: BlockingChannel, version: int, path: str) -> None:
    result = mqtt(broker, "subscribe", version, path, "to/js", 0)
    assert result["granted"] == [1]
    for body in SENT:
        channel.basic_publish("amq.topic", "to.js", body.encode(), pika.BasicProperties(delivery_mode=2))
    result = mqtt(broker, "read", version, path, "to/js", len(SENT))
    assert (result["topic"], result["bodies"]) == ("to/js", RECEIVED)
    assert result["session_present"] is (version > 3)

    queue = channel.queue_declare(f"from-js-{version}").method.queue
    channel.queue_bind(queue, "amq.topic", "from.js")
    mqtt(broker, "write", version, path, "from/js", len(SENT))
    assert take(channel, queue, len(SENT)) == WRITTEN


# Over TLS


def test_stompjs_over_tls(broker: WarrenProcess, channel: BlockingChannel, trusting: Mapping[str, str]) -> None:
    source, destination = queues(channel, "stompjs-tls")
    arguments = (address(broker, "/ws", "wss"), source, str(len(SENT)), destination)
    result = run("websocket_stomp.js", "@stomp/stompjs", *arguments, environment=trusting)
    assert result["bodies"] == RECEIVED
    assert take(channel, destination, len(SENT)) == WRITTEN
    assert take(channel, source, 0) == []
    assert result["close"] == 1000


def test_amqp_client_js_over_tls(broker: WarrenProcess, channel: BlockingChannel, trusting: Mapping[str, str]) -> None:
    source, destination = queues(channel, "amqp-client-tls")
    arguments = (address(broker, "/ws/amqp", "wss"), source, str(len(SENT)), destination)
    result = run("websocket_amqp.js", "@cloudamqp/amqp-client", *arguments, environment=trusting)
    assert result["bodies"] == RECEIVED
    assert take(channel, destination, len(SENT)) == WRITTEN
    assert take(channel, source, 0) == []


def test_mqtt_js_over_tls(broker: WarrenProcess, channel: BlockingChannel, trusting: Mapping[str, str]) -> None:
    queue = channel.queue_declare("from-js-tls").method.queue
    channel.queue_bind(queue, "amq.topic", "from.js.tls")
    arguments = ("write", address(broker, "/mqtt", "wss"), "5", "mqtt-js-tls", "from/js/tls", str(len(SENT)))
    run("websocket_mqtt.js", "mqtt", *arguments, environment=trusting)
    assert take(channel, queue, len(SENT)) == WRITTEN


def test_who_does_not_trust_the_certificate_does_not_connect(broker: WarrenProcess) -> None:
    arguments = ("write", address(broker, "/mqtt", "wss"), "5", "mqtt-js-tls", "from/js/tls", "1")
    with pytest.raises(AssertionError, match="UNABLE_TO_VERIFY_LEAF_SIGNATURE"):
        run("websocket_mqtt.js", "mqtt", *arguments)
