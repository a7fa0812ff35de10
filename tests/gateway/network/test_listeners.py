"""Listeners on real sockets: who the peer is behind a proxy, and what hasn't come as far as a session at a stop."""

from __future__ import annotations

import pytest
import trio

from tests.support.amqp_wire import start_ok
from tests.support.certificates import TestAuthority, config_with
from tests.support.recording_session import RecordingSession
from tests.support.tls_broker import broker_without_leftovers, hub_of, listening, nobody_connected, run_of
from warren.adapters.amqp091.codec.constants import PROTOCOL_HEADER
from warren.core.broker import Broker
from warren.core.clients.outbox import Outbox
from warren.core.clients.transport import Carrier, Session
from warren.gateway import EmbeddedBroker, open_broker
from warren.gateway.configuration.config import Config

TIME_LIMIT_S = 30.0

FROM_AFAR = b"PROXY TCP4 198.51.100.7 192.0.2.1 56324 5672\r\n"
FROM_HERE = b"PROXY TCP4 127.0.0.1 127.0.0.1 56324 5672\r\n"

STOMP_CONNECT = b"CONNECT\nlogin:guest\npasscode:guest\n\n\0"
MQTT_CONNECT = bytes.fromhex("10 1c 0004") + b"MQTT" + bytes.fromhex("04 c2 003c 0002") + b"me\0\5guest\0\5guest"

CONNECTION_TUNE = bytes.fromhex("000a 001e")

STARTS = {
    "stomp": (STOMP_CONNECT, b"CONNECTED\n", b"ERROR\nmessage:Bad CONNECT"),
    "mqtt": (MQTT_CONNECT, bytes.fromhex("20 02 00 00"), bytes.fromhex("20 02 00 05")),
}


async def connected(broker: EmbeddedBroker, listener: str) -> trio.SocketStream:
    return await trio.open_tcp_stream(*broker.address(listener))


@pytest.mark.parametrize("listener", ["own", "auto"])
@pytest.mark.parametrize("protocol", STARTS)
async def test_loopback_users_are_told_by_the_real_peer(
    caplog: pytest.LogCaptureFixture, protocol: str, listener: str
) -> None:
    connect, welcome, refusal = STARTS[protocol]
    name = protocol if listener == "own" else "auto"
    listen = f"{name}=127.0.0.1:0?proxy_protocol=true"
    config = Config(in_memory=True, refused_login_delay_s=0)
    async with broker_without_leftovers(config, listen, log=caplog) as broker:
        stream = await connected(broker, name)
        await stream.send_all(FROM_HERE + connect)
        assert (await stream.receive_some()).startswith(welcome)
        (row,) = broker.inspect("connections")
        assert (row["peer_host"], row["peer_port"], row["host"], row["port"]) == ("127.0.0.1", 56324, "127.0.0.1", 5672)
        await stream.aclose()
        stream = await connected(broker, name)
        await stream.send_all(FROM_AFAR + connect)
        assert (await stream.receive_some()).startswith(refusal)
        await stream.aclose()
    assert "198.51.100.7:56324" in caplog.text


@pytest.mark.parametrize("protocol", STARTS)
async def test_who_leaves_instead_of_waiting_for_a_refusal_is_noticed(
    caplog: pytest.LogCaptureFixture, protocol: str
) -> None:
    connect, _, _ = STARTS[protocol]
    config = Config(in_memory=True, refused_login_delay_s=60, refused_logins_max=5)
    async with broker_without_leftovers(config, f"{protocol}=127.0.0.1:0", log=caplog) as broker:
        refused = hub_of(broker).broker.refused_logins
        assert (refused.delay_ms, refused.waiting_max) == (60_000, 5)
        stream = await connected(broker, protocol)
        await stream.send_all(
            connect[:-1] + b"!" if protocol == "mqtt" else connect.replace(b"passcode:guest", b"passcode:x")
        )
        while not len(refused):
            await trio.sleep(0.01)
        await stream.aclose()
        while len(refused):
            await trio.sleep(0.01)


async def test_a_proxy_on_this_machine_does_not_make_its_clients_local(caplog: pytest.LogCaptureFixture) -> None:
    listen = "stomp=127.0.0.1:0?proxy_protocol=true"
    async with broker_without_leftovers(Config(in_memory=True), listen, log=caplog) as broker:
        for header in (b"PROXY UNKNOWN\r\n", bytes.fromhex("0D0A0D0A000D0A515549540A 21 00 0000")):
            stream = await connected(broker, "stomp")
            await stream.send_all(header + STOMP_CONNECT)
            assert (await stream.receive_some()).startswith(b"ERROR\n")
            await stream.aclose()


async def test_amqp_is_told_by_the_real_peer(caplog: pytest.LogCaptureFixture) -> None:
    listen = "amqp=127.0.0.1:0?proxy_protocol=true"
    async with broker_without_leftovers(Config(in_memory=True), listen, log=caplog) as broker:
        stream = await connected(broker, "amqp")
        await stream.send_all(FROM_AFAR + PROTOCOL_HEADER)
        assert b"PLAIN" in await stream.receive_some()
        (row,) = broker.inspect("connections")
        assert row["name"] == "198.51.100.7:56324 -> 192.0.2.1:5672"
        await stream.aclose()


async def test_loopback_users_of_amqp_are_told_by_the_real_peer(caplog: pytest.LogCaptureFixture) -> None:
    listen = "amqp=127.0.0.1:0?proxy_protocol=true"
    config = Config(in_memory=True)
    async with broker_without_leftovers(config, listen, log=caplog) as broker:
        for header, answer in ((FROM_HERE, CONNECTION_TUNE), (FROM_AFAR, b"ACCESS_REFUSED")):
            stream = await connected(broker, "amqp")
            await stream.send_all(header + PROTOCOL_HEADER)
            await stream.receive_some()
            await stream.send_all(start_ok())
            assert answer in await stream.receive_some()
            await stream.aclose()
    assert "198.51.100.7:56324" in caplog.text


class WithHeader(trio.abc.Stream):
    """A connection whose first bytes follow the header without a gap."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._header = FROM_HERE

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(self._header + data)
        self._header = b""

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self._stream.aclose()


async def test_tls_comes_after_the_header(
    tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    authority = TestAuthority(tmp_path_factory.mktemp("certificates"))
    server = authority.issue("server", "localhost")
    listen = "stomps=127.0.0.1:0?proxy_protocol=true"
    async with broker_without_leftovers(config_with(authority, server), listen, log=caplog) as broker:
        stream = WithHeader(await connected(broker, "stomps"))
        encrypted = trio.SSLStream(stream, authority.client_context(), server_hostname="localhost")
        await encrypted.send_all(STOMP_CONNECT)
        assert (await encrypted.receive_some()).startswith(b"CONNECTED\n")
        (row,) = broker.inspect("connections")
        assert (row["peer_port"], row["ssl"]) == (56324, True)
        await encrypted.aclose()


async def test_without_the_option_a_header_is_no_header(caplog: pytest.LogCaptureFixture) -> None:
    async with broker_without_leftovers(Config(in_memory=True), "amqp=127.0.0.1:0", log=caplog) as broker:
        stream = await connected(broker, "amqp")
        await stream.send_all(FROM_HERE + PROTOCOL_HEADER)
        assert await stream.receive_some() == PROTOCOL_HEADER
        await stream.aclose()


async def test_the_names_in_the_log_and_of_the_addresses(
    tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    authority = TestAuthority(tmp_path_factory.mktemp("certificates"))
    config = config_with(authority, authority.issue("server", "localhost"))
    listen = ["amqp=127.0.0.1:0", "amqps=127.0.0.1:0", "wss=127.0.0.1:0", "auto=127.0.0.1:0?proxy_protocol=true"]
    async with open_broker(listen=listen, config=config) as broker:
        assert list(broker.listening) == ["amqp", "amqps", "wss", "auto"]
        for name, ((host, port),) in broker.listening.items():
            assert broker.url(name) == f"{name}://{host}:{port}"
            assert f" on {host}:{port}" in caplog.text
        assert "listening for AMQPS on " in caplog.text
        assert "listening for every protocol on " in caplog.text
        assert f"with the page at https://127.0.0.1:{broker.address('wss')[1]}/" in caplog.text


async def test_a_restart_of_the_app_keeps_ports_and_options() -> None:
    async with open_broker(listen=["amqp=127.0.0.1:0", "auto=127.0.0.1:0?proxy_protocol=true"]) as broker:
        server = broker._server
        before = dict(broker.listening)
        await server.stop_app()
        await server.start_app()
        assert dict(broker.listening) == before
        stream = await connected(broker, "auto")
        await stream.send_all(STOMP_CONNECT)
        assert await stream.receive_some() == b"", "the header isn't needed any more"
        await stream.aclose()


SILENT: dict[str, bytes] = {
    "auto=127.0.0.1:0": b"",
    "amqp=127.0.0.1:0?proxy_protocol=true": b"PROXY ",
    "stomps=127.0.0.1:0": bytes.fromhex("16 0301 0200 01"),
    "auto=127.0.0.1:0?proxy_protocol=true": FROM_HERE + b"H",
    "ws=127.0.0.1:0": b"GET / HT",
}


@pytest.mark.parametrize("listen", SILENT)
async def test_who_has_not_come_as_far_as_a_session_does_not_hold_up_the_stop(
    tmp_path_factory: pytest.TempPathFactory, listen: str
) -> None:
    authority = TestAuthority(tmp_path_factory.mktemp("certificates"))
    config = config_with(authority, authority.issue("server", "localhost"))
    with trio.fail_after(TIME_LIMIT_S):
        async with open_broker(listen=[listen], config=config) as broker:
            stream = await connected(broker, listen.partition("=")[0])
            run = run_of(broker)
            run.goodbye_s = 10 * TIME_LIMIT_S
            hub = run.hub
            if SILENT[listen]:
                await stream.send_all(SILENT[listen])
                # The hub has read it when the count says so.
                while not any(link.received_bytes == len(SILENT[listen]) for link in hub.links):
                    await trio.lowlevel.checkpoint()
            else:
                while not hub.links:
                    await trio.lowlevel.checkpoint()
            started_at = trio.current_time()
        assert trio.current_time() - started_at < 2.5, "it was waited for, as long as a closed link lingers"
        assert not hub.links
        await stream.aclose()


async def test_a_bug_while_accepting_ends_that_connection_alone(caplog: pytest.LogCaptureFixture) -> None:
    def broken(broker: Broker, below: Carrier) -> tuple[Session, Outbox]:
        raise RuntimeError("a bug")

    async with open_broker(listen=["stomp=127.0.0.1:0"]) as broker:
        hub = hub_of(broker)
        with listening(hub, broken) as address, trio.fail_after(TIME_LIMIT_S):
            stream = await trio.open_tcp_stream(*address)
            assert await stream.receive_some() == b""
            await stream.aclose()
            assert "internal error; closing a new connection" in caplog.text
            assert not hub.links
            stream = await connected(broker, "stomp")
            await stream.send_all(STOMP_CONNECT)
            assert (await stream.receive_some()).startswith(b"CONNECTED\n")
            await stream.aclose()


class BrokenWhenDrained(RecordingSession):
    def drained(self) -> None:
        raise RuntimeError("a bug")


async def test_a_bug_that_shows_while_sending_ends_that_connection_alone(caplog: pytest.LogCaptureFixture) -> None:
    def accept(broker: Broker, below: Carrier) -> tuple[Session, Outbox]:
        session = BrokenWhenDrained(broker, below)
        session.on_receive = session.outbox.write
        return session, session.outbox

    async with open_broker(listen=["stomp=127.0.0.1:0"]) as broker:
        with listening(hub_of(broker), accept) as address, trio.fail_after(TIME_LIMIT_S):
            stream = await trio.open_tcp_stream(*address)
            await stream.send_all(b"echo")
            received = b""
            while chunk := await stream.receive_some():
                received += chunk
            assert received == b"echo"
            await stream.aclose()
            await nobody_connected(broker)
            stream = await connected(broker, "stomp")
            await stream.send_all(STOMP_CONNECT)
            assert (await stream.receive_some()).startswith(b"CONNECTED\n")
            await stream.aclose()
    (record,) = [record for record in caplog.records if record.exc_info]
    assert record.getMessage().endswith("internal error; closing the connection")
