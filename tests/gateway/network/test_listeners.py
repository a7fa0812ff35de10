"""Listeners on real sockets: who the peer is behind a proxy, and what hasn't come as far as a session at a stop."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from dataclasses import replace

import pytest
import trio

from tests.support.amqp_wire import start_ok
from tests.support.certificates import TestAuthority, config_with
from tests.support.ports import free_ports
from tests.support.recording_session import RecordingSession
from tests.support.tls_broker import broker_without_leftovers, hub_of, listening, nobody_connected, run_of
from warren.adapters.amqp091.codec.constants import PROTOCOL_HEADER
from warren.core.broker import Broker
from warren.core.clients.outbox import Outbox
from warren.core.clients.transport import Carrier, Session
from warren.core.errors import StorageError
from warren.gateway import EmbeddedBroker, open_broker
from warren.gateway.configuration.config import Config
from warren.gateway.network import listeners
from warren.gateway.network.addresses import Listener

TIME_LIMIT_S = 60.0

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
    config = Config(in_memory=True, refused_login_delay_s=0)
    async with broker_without_leftovers(config, listen, log=caplog) as broker:
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
    config = Config(in_memory=True, refused_login_delay_s=0)
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
        assert "listening for AMQP over TLS on " in caplog.text
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
            assert await stream.receive_some() == b"echo"
            with pytest.raises(trio.BrokenResourceError):
                await stream.receive_some()
            await stream.aclose()
            await nobody_connected(broker)
            stream = await connected(broker, "stomp")
            await stream.send_all(STOMP_CONNECT)
            assert (await stream.receive_some()).startswith(b"CONNECTED\n")
            await stream.aclose()
    (record,) = [record for record in caplog.records if record.exc_info]
    assert record.getMessage().endswith("internal error; closing the connection")


# Both families


def families() -> list[str]:
    """The loopback addresses that this machine has."""
    found = ["127.0.0.1"]
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
            found.append("::1")
    except OSError:
        pass
    return found


async def test_localhost_is_both_loopback_addresses_at_one_port(caplog: pytest.LogCaptureFixture) -> None:
    listen = ["amqp=localhost:0", "amqp=127.0.0.1:0", "ws=localhost:0"]
    async with broker_without_leftovers(Config(in_memory=True), *listen, log=caplog) as broker:
        first, second, *others = broker.listening["amqp"]
        assert (first[0], second[0]) == ("127.0.0.1", "127.0.0.1"), "further addresses come behind all first ones"
        assert [first[0], *(host for host, _ in others)] == families()
        assert {port for _, port in others} <= {first[1]}
        assert [host for host, _ in broker.listening["ws"]] == families()
        for address in (first, *others):
            stream = await trio.open_tcp_stream(*address)
            await stream.send_all(b"AMQP\0\0\0\0")
            assert await stream.receive_some() == PROTOCOL_HEADER
            await stream.aclose()


async def test_every_address_is_that_of_both_families() -> None:
    async with open_broker(listen=["amqp=*:0"]) as broker:
        wildcards = {"127.0.0.1": "0.0.0.0", "::1": "::"}
        assert [host for host, _ in broker.listening["amqp"]] == [wildcards[host] for host in families()]
        for host in families():
            stream = await trio.open_tcp_stream(host, broker.address("amqp")[1])
            await stream.aclose()


async def test_a_restart_of_the_app_keeps_both_families() -> None:
    async with open_broker(listen=["amqp=localhost:0"]) as broker:
        before = dict(broker.listening)
        await broker._server.stop_app()
        await broker._server.start_app()
        assert dict(broker.listening) == before


def bind_failing(monkeypatch: pytest.MonkeyPatch, fail: Callable[[Listener, int], int]) -> list[Listener]:
    """Listening fails as `fail` says by an errno (0: not), given the address and how often it was asked."""
    asked: list[Listener] = []
    bind = listeners._bind

    def failing(listener: Listener, *, ipv6_only: bool) -> socket.socket:
        asked.append(listener)
        number = fail(listener, len(asked))
        if number:
            raise listeners.AddressUnusableError(listener, os.strerror(number), number)
        return bind(replace(listener, host="127.0.0.1"), ipv6_only=ipv6_only)

    monkeypatch.setattr(listeners, "_bind", failing)
    return asked


@pytest.mark.parametrize("missing", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
async def test_a_family_that_the_machine_lacks_is_left_out(
    monkeypatch: pytest.MonkeyPatch, missing: str, number: int
) -> None:
    bind_failing(monkeypatch, lambda listener, asked: number if listener.host == missing else 0)
    async with open_broker(listen=["amqp=localhost:0"]) as broker:
        assert len(broker.listening["amqp"]) == 1


async def test_a_machine_with_no_family_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    bind_failing(monkeypatch, lambda listener, asked: errno.EADDRNOTAVAIL)
    with pytest.raises(StorageError, match="Cannot assign requested address"):
        async with open_broker(listen=["amqp=localhost:0"]):
            raise AssertionError("it started")


async def test_a_fixed_port_that_is_taken_in_one_family_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    asked = bind_failing(monkeypatch, lambda listener, count: errno.EADDRINUSE if listener.host == "::1" else 0)
    with pytest.raises(StorageError, match="Address already in use"):
        async with open_broker(listen=[f"amqp=localhost:{port}"]):
            raise AssertionError("it started")
    assert len(asked) == 2


async def test_any_port_is_one_that_is_free_in_both(monkeypatch: pytest.MonkeyPatch) -> None:
    def taken_twice(listener: Listener, asked: int) -> int:
        return errno.EADDRINUSE if asked in (2, 4) else errno.EAFNOSUPPORT if listener.host == "::1" else 0

    asked = bind_failing(monkeypatch, taken_twice)
    async with open_broker(listen=["amqp=localhost:0"]) as broker:
        assert len(asked) == 6
        assert [listener.host for listener in asked] == ["127.0.0.1", "::1"] * 3
        assert asked[5].port == broker.address("amqp")[1]


async def test_any_port_is_not_looked_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = bind_failing(monkeypatch, lambda listener, count: errno.EADDRINUSE if listener.host == "::1" else 0)
    with pytest.raises(StorageError, match="Address already in use"):
        async with open_broker(listen=["amqp=localhost:0"]):
            raise AssertionError("it started")
    assert len(asked) == 2 * listeners.PORT_ATTEMPTS_MAX
