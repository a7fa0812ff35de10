"""Real clients over TLS, on listeners for one protocol and on the one for all."""

from __future__ import annotations

import gc
import queue
import ssl
from collections.abc import Callable, Iterator

import pytest
import stomp
import trio
from pika.adapters.blocking_connection import BlockingConnection

from tests.embedding.clients import in_thread
from tests.mqtt.paho_client import CallbackAPIVersion, paho, paho_client
from tests.support.certificates import Files, TestAuthority
from tests.support.tls_broker import broker_without_leftovers, pika_parameters
from warren.gateway import EmbeddedBroker
from warren.gateway.configuration.config import Config

Configure = Callable[..., Config]

TIME_LIMIT_S = 60.0


@pytest.fixture(autouse=True)
def leave_nothing_to_the_collector() -> Iterator[None]:
    """stomp.py leaves the selector of a TLS connection to the garbage collector; other tests count what is open."""
    yield
    gc.collect()


def connections(broker: EmbeddedBroker) -> list[dict[str, object]]:
    """Rows of list_connections, for a thread."""
    return trio.from_thread.run_sync(broker.inspect, "connections")


class StompClient:
    """stomp.py, connected; `messages` and `errors` are what came."""

    def __init__(
        self, port: int, authority: TestAuthority | None, client: Files | None = None, *, login: bool = True
    ) -> None:
        self.messages: queue.Queue[str] = queue.Queue()
        self.connection = stomp.Connection12([("localhost", port)])
        if authority is not None:
            self.connection.set_ssl(
                for_hosts=[("localhost", port)],
                ca_certs=str(authority.ca),
                cert_file=str(client.certificate) if client else None,
                key_file=str(client.key) if client else None,
                ssl_version=ssl.PROTOCOL_TLS_CLIENT,
            )
        self.connection.set_listener("test", _Listener(self.messages))
        self.connection.connect(*(("guest", "guest") if login else ()), wait=True)

    def __enter__(self) -> StompClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.disconnect()

    def subscribe(self, destination: str) -> None:
        self.connection.subscribe(destination, id="1", headers={"receipt": "subscribed"})
        assert self.next() == "receipt subscribed"

    def next(self) -> str:
        return self.messages.get(timeout=TIME_LIMIT_S)


class _Listener(stomp.ConnectionListener):  # type: ignore[misc]  # comes without types
    def __init__(self, messages: queue.Queue[str]) -> None:
        self._messages = messages

    def on_message(self, frame: stomp.utils.Frame) -> None:
        self._messages.put(frame.body)

    def on_receipt(self, frame: stomp.utils.Frame) -> None:
        self._messages.put(f"receipt {frame.headers['receipt-id']}")

    def on_error(self, frame: stomp.utils.Frame) -> None:
        self._messages.put(f"error {frame.body}")


@pytest.mark.parametrize("listener", ["amqps", "auto", "autos"])
async def test_pika(
    configure: Configure, authority: TestAuthority, caplog: pytest.LogCaptureFixture, listener: str
) -> None:
    async with broker_without_leftovers(configure(), f"{listener}=127.0.0.1:0", log=caplog) as broker:

        def use() -> dict[str, object]:
            with BlockingConnection(pika_parameters(broker, listener, authority.client_context())) as connection:
                channel = connection.channel()
                channel.confirm_delivery()
                channel.queue_declare("large")
                body = bytes(range(256)) * 20_000
                channel.basic_publish("", "large", body)
                assert channel.basic_get("large", auto_ack=True)[2] == body
                (row,) = connections(broker)
                return row

        row = await in_thread(use)
        assert row["ssl"] is True
        assert row["ssl_protocol"] == "TLSv1.3"
        assert str(row["ssl_cipher"]).startswith("TLS_")
        assert row["peer_cert_subject"] == ""
        assert row["protocol"] == "AMQP 0-9-1"


@pytest.mark.parametrize("listener", ["stomps", "auto"])
async def test_stomp_py(
    configure: Configure, authority: TestAuthority, caplog: pytest.LogCaptureFixture, listener: str
) -> None:
    async with broker_without_leftovers(configure(), f"{listener}=127.0.0.1:0", log=caplog) as broker:

        def use() -> None:
            with StompClient(broker.address(listener)[1], authority) as client:
                client.subscribe("/queue/a")
                client.connection.send("/queue/a", "x" * 100_000)
                assert client.next() == "x" * 100_000
                (row,) = connections(broker)
                assert row["ssl"] is True
                assert str(row["ssl_protocol"]).startswith("TLSv1.")

        await in_thread(use)


@pytest.mark.parametrize(
    ("listener", "transport"), [("mqtts", "tcp"), ("auto", "tcp"), ("wss", "websockets"), ("auto", "websockets")]
)
async def test_paho(
    configure: Configure, authority: TestAuthority, caplog: pytest.LogCaptureFixture, listener: str, transport: str
) -> None:
    async with broker_without_leftovers(configure(), f"{listener}=127.0.0.1:0", log=caplog) as broker:

        def use() -> None:
            port = broker.address(listener)[1]
            with paho_client(port, "me", tls=authority.client_context(), transport=transport) as client:
                client.subscribe("a/b", 1)
                client.publish("a/b", b"x" * 100_000, 1)
                assert client.next().payload == b"x" * 100_000
                (row,) = connections(broker)
                assert row["ssl"] is True

        await in_thread(use)


async def test_one_listener_for_everything(
    configure: Configure, authority: TestAuthority, caplog: pytest.LogCaptureFixture
) -> None:
    async with broker_without_leftovers(configure(), "auto=127.0.0.1:0", log=caplog) as broker:
        port = broker.address("auto")[1]
        context = authority.client_context()

        def use() -> list[dict[str, object]]:
            with (
                BlockingConnection(pika_parameters(broker, "auto")) as plain,
                BlockingConnection(pika_parameters(broker, "auto", context)) as encrypted,
                StompClient(port, None) as stomp_plain,
                StompClient(port, authority) as stomp_encrypted,
                paho_client(port, "plain") as mqtt_plain,
                paho_client(port, "encrypted", tls=context) as mqtt_encrypted,
                paho_client(port, "web-plain", transport="websockets") as web_plain,
                paho_client(port, "web-encrypted", tls=context, transport="websockets") as web_encrypted,
            ):
                for client in (stomp_plain, stomp_encrypted):
                    client.subscribe("/topic/news")
                for device in (mqtt_plain, mqtt_encrypted, web_plain, web_encrypted):
                    device.subscribe("news")
                for connection in (plain, encrypted):
                    channel = connection.channel()
                    channel.confirm_delivery()
                    channel.basic_publish("amq.topic", "news", b"hello")
                for client in (stomp_plain, stomp_encrypted):
                    assert [client.next(), client.next()] == ["hello", "hello"]
                for device in (mqtt_plain, mqtt_encrypted, web_plain, web_encrypted):
                    assert [device.next().payload, device.next().payload] == [b"hello", b"hello"]
                return connections(broker)

        rows = await in_thread(use)
        assert sorted(bool(row["ssl"]) for row in rows) == [False] * 4 + [True] * 4
        assert {row["port"] for row in rows} == {port}


# Logins by certificate


async def external(
    broker: EmbeddedBroker, authority: TestAuthority, client: Files | None
) -> tuple[str, dict[str, object]]:
    """User and row of a connection that logs in with its certificate."""

    def use() -> tuple[str, dict[str, object]]:
        parameters = pika_parameters(broker, "amqps", authority.client_context(client), external=True)
        with BlockingConnection(parameters):
            (row,) = connections(broker)
            return str(row["user"]), row

    return await in_thread(use)


async def test_external_by_common_name(
    configure: Configure, authority: TestAuthority, client: Files, caplog: pytest.LogCaptureFixture
) -> None:
    config = configure(tls_verify="required", tls_certificate_login_from="common_name")
    async with broker_without_leftovers(config, "amqps=127.0.0.1:0", log=caplog) as broker:
        user, row = await external(broker, authority, client)
        assert user == "guest"
        assert row["auth_mechanism"] == "EXTERNAL"
        assert str(row["peer_cert_subject"]).startswith("CN=guest,")
        assert "trustme" in str(row["peer_cert_issuer"])
        assert str(row["peer_cert_validity"]).count("Z") == 2


async def test_external_by_distinguished_name(
    configure: Configure, authority: TestAuthority, client: Files, caplog: pytest.LogCaptureFixture
) -> None:
    config = configure(tls_verify="optional")
    async with broker_without_leftovers(config, "amqps=127.0.0.1:0", log=caplog) as broker:
        users = broker._server.broker.users
        subject = client_subject(client)
        assert subject.startswith("CN=guest,OU=")
        users.add_user(subject, "unused")
        users.set_permissions(subject, "/", ".*", ".*", ".*")
        assert (await external(broker, authority, client))[0] == subject


def client_subject(client: Files) -> str:
    """As the broker reads it."""
    from warren.gateway.tls.certificate import first_certificate

    return first_certificate(client.certificate.read_bytes()).subject


@pytest.mark.parametrize("shown", [True, False])
async def test_external_is_offered_to_who_has_shown_a_certificate(
    configure: Configure, authority: TestAuthority, client: Files, caplog: pytest.LogCaptureFixture, shown: bool
) -> None:
    async with broker_without_leftovers(configure(tls_verify="optional"), "amqps=127.0.0.1:0", log=caplog) as broker:
        context = authority.client_context(client if shown else None)
        stream = await trio.open_ssl_over_tcp_stream("localhost", broker.address("amqps")[1], ssl_context=context)
        await stream.send_all(b"AMQP\0\0\x09\x01")
        start = await stream.receive_some()
        await stream.transport_stream.aclose()
        assert b"PLAIN" in start
        assert (b"EXTERNAL" in start) is shown


@pytest.mark.parametrize("login", [True, False])
async def test_stomp_by_certificate(
    configure: Configure, authority: TestAuthority, client: Files, caplog: pytest.LogCaptureFixture, login: bool
) -> None:
    config = configure(
        tls_verify="required",
        tls_certificate_login_from="common_name",
        stomp_certificate_login=True,
        stomp_default_user="nobody",
    )
    async with broker_without_leftovers(config, "stomps=127.0.0.1:0", log=caplog) as broker:

        def use() -> dict[str, object]:
            with StompClient(broker.address("stomps")[1], authority, client, login=login):
                (row,) = connections(broker)
                return row

        row = await in_thread(use)
        assert row["user"] == "guest"
        assert row["auth_mechanism"] == ("PLAIN" if login else "EXTERNAL")


async def test_mqtt_by_certificate(
    configure: Configure, authority: TestAuthority, client: Files, caplog: pytest.LogCaptureFixture
) -> None:
    config = configure(
        tls_verify="required",
        tls_certificate_login_from="common_name",
        mqtt_certificate_login=True,
        mqtt_allow_anonymous=False,
    )
    async with broker_without_leftovers(config, "mqtts=127.0.0.1:0", log=caplog) as broker:

        def use() -> dict[str, object]:
            with paho_client(broker.address("mqtts")[1], "me", tls=authority.client_context(client)):
                (row,) = connections(broker)
                return row

        assert (await in_thread(use))["user"] == "guest"


@pytest.mark.parametrize("certificate_login", [False, True])
async def test_mqtt_refuses_a_certificate_that_is_no_user(
    configure: Configure,
    authority: TestAuthority,
    client: Files,
    caplog: pytest.LogCaptureFixture,
    certificate_login: bool,
) -> None:
    config = configure(
        tls_verify="required",
        mqtt_certificate_login=certificate_login,
        mqtt_allow_anonymous=False,
        refused_login_delay_s=0,
    )
    async with broker_without_leftovers(config, "mqtts=127.0.0.1:0", log=caplog) as broker:

        def use() -> object:
            refused: queue.Queue[object] = queue.Queue()
            device = paho.Client(CallbackAPIVersion.VERSION2, "me", protocol=paho.MQTTv5)
            device.tls_set_context(authority.client_context(client))
            device.on_connect = lambda client, userdata, flags, code, properties: refused.put(code)
            device.connect("localhost", broker.address("mqtts")[1])
            device.loop_start()
            code = refused.get(timeout=TIME_LIMIT_S)
            device.disconnect()
            device.loop_stop()
            return code

        assert str(await in_thread(use)) in ("Not authorized", "Bad user name or password")
