"""SIGHUP: what of the configuration counts at once, what later, and what happens to one that can't be used."""

from __future__ import annotations

import json
import logging
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pika
import pytest
import trio

from tests.support import child
from tests.support.certificates import TestAuthority, config_with
from tests.support.warren_process import WarrenProcess, start_warren
from warren.gateway import open_broker
from warren.gateway.configuration.config import Config
from warren.gateway.configuration.load import load_config

TIME_LIMIT_S = 60.0

START = 'log_level = "info"\n'


class Reloaded:
    """A broker in a process of its own, whose warren.toml changes."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "warren.toml"
        self.file.write_text(START)
        self.broker: WarrenProcess = start_warren(
            directory, data_directory=directory / "data", options=["--config", str(self.file)]
        )
        self._seen = 0

    def hang_up(self, config: str, *words: str) -> str:
        """What the log says of a SIGHUP with this file, once that has all of these words."""
        self.file.write_text(config)
        before = self.broker.log.read_text()
        os.kill(self.broker.process.pid, signal.SIGHUP)

        def done() -> bool:
            said = self._since(before)
            return all(each in said for each in words)

        child.wait_until(done, self.broker.process, self.broker.log, TIME_LIMIT_S, f"saying {words}")
        return self._since(before)

    def _since(self, before: str) -> str:
        """Whole lines alone: one may be there before its end is."""
        found = self.broker.log.read_text()[len(before) :]
        return found[: found.rfind("\n") + 1]

    def connect(self) -> pika.BlockingConnection:
        """Whoever connects is answered."""
        return pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", self.broker.amqp_port))


@pytest.fixture
def reloaded(tmp_path: Path) -> Iterator[Reloaded]:
    found = Reloaded(tmp_path)
    yield found
    assert found.broker.stop() == 0


def test_a_running_broker_takes_what_it_can_and_names_the_rest(reloaded: Reloaded) -> None:
    with reloaded.connect() as stays:
        said = reloaded.hang_up(
            'log_level = "info"\nconnection_max = 1\nheartbeat_s = 7\nlog_format = "json"\nin_memory = true\n',
            "on SIGHUP: in effect now: connection_max, heartbeat_s, log_format",
        )
        lines = [json.loads(line)["message"] for line in said.splitlines() if line.startswith("{")]
        assert "on SIGHUP: in effect now: connection_max, heartbeat_s, log_format" in lines
        with pytest.raises(pika.exceptions.AMQPError):
            reloaded.connect()
        assert stays.is_open, "what is over a limit stays"
        reloaded.hang_up(
            'log_level = "info"\nheartbeat_s = 7\n', "on SIGHUP: in effect now: connection_max, log_format"
        )
        with reloaded.connect() as later:
            assert later._impl.params.heartbeat == 7, "which the broker has proposed to a new connection"


def test_what_it_cannot_take_changes_nothing(reloaded: Reloaded) -> None:
    unusable = "the configuration can't be used, everything stays as it was"
    said = reloaded.hang_up("connection_max = 1\nloudness = 3\n", unusable)
    assert "loudness" in said
    with reloaded.connect(), reloaded.connect():
        pass
    reloaded.hang_up(START, "there is nothing to load again")


def test_what_needs_a_start_is_named(reloaded: Reloaded) -> None:
    reloaded.hang_up(
        'log_level = "debug"\nbacklog_bytes_max = 123\nmqtt_exchange = "amq.fanout"\n',
        "on SIGHUP: in effect now: log_level\n",
        "on SIGHUP: in effect when the broker is started again: backlog_bytes_max, mqtt_exchange\n",
    )


def reading(directory: Path, text: str) -> Callable[[], Config]:
    file = directory / "warren.toml"
    file.write_text(text)
    return lambda: load_config(config_file=file, environment={}, directory=directory)


async def test_users_of_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    users = tmp_path / "users.json"
    users.write_text(json.dumps({"users": [{"name": "first", "password_hash": "", "tags": ""}], "vhosts": []}))
    read = reading(tmp_path, 'in_memory = true\nload_definitions = "users.json"\nlisten = "amqp=127.0.0.1:0"\n')
    async with open_broker(config=read(), listen=["amqp=127.0.0.1:0"]) as broker:
        server = broker._server
        server._read_config = read
        users.write_text(json.dumps({"users": [{"name": "second", "password_hash": "", "tags": ""}], "vhosts": []}))
        await server.reload()
        assert "second" in server.broker.users
        server.broker.users.delete_user("second")
        await server.reload()
        assert "second" not in server.broker.users, "what hasn't changed isn't imported again"
        users.write_text("{")
        await server.reload()
        (error,) = [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR]
        assert error.startswith(f"load_definitions: {users}: ")


async def test_settings_of_core_and_resources(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with open_broker(listen=["amqp=127.0.0.1:0"]) as broker:
        server = broker._server
        server._read_config = reading(
            tmp_path,
            'in_memory = true\nlisten = "amqp=127.0.0.1:0"\nloopback_users = ["guest", "admin"]\n'
            "refused_login_delay_s = 1.5\nrefused_logins_max = 7\ndisk_free_limit_bytes = 1234\n"
            'memory_high_watermark = "3GB"\n',
        )
        await server.reload()
        found = server.broker
        assert found.users.loopback_users == {"guest", "admin"}
        assert (found.refused_logins.delay_ms, found.refused_logins.waiting_max) == (1500, 7)
        assert server.limits.disk_free_limit_bytes == 1234
        assert server.limits.memory_limit_bytes == 3 * 10**9
        assert server.config.refused_logins_max == 7
        assert server.control.config is server.config


async def test_a_certificate_that_is_missing_leaves_connections_as_they_were(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    authority = TestAuthority(tmp_path)
    config = config_with(authority, authority.issue("server", "localhost"))
    async with open_broker(listen=["amqps=127.0.0.1:0"], config=config) as broker:
        server = broker._server
        before = server.config
        server._read_config = lambda: before.replace(heartbeat_s=9, tls_certificate_file=tmp_path / "none.pem")
        await server.reload()
        assert "heartbeat_s, tls_certificate_file: what is new can't be used, so it stays as it was: " in caplog.text
        assert "none.pem" in caplog.text
        assert server.config == before
        stream = trio.SSLStream(
            await trio.open_tcp_stream(*broker.address("amqps")),
            authority.client_context(),
            server_hostname="localhost",
        )
        await stream.do_handshake()
        await stream.transport_stream.aclose()


async def test_while_the_application_is_stopped_its_next_start_takes_it(tmp_path: Path) -> None:
    async with open_broker(listen=["amqp=127.0.0.1:0"]) as broker:
        server = broker._server
        await server.stop_app()
        server._read_config = lambda: server.config.replace(connection_max=3)
        await server.reload()
        await server.start_app()
        assert server.broker.limits.connections == 3
