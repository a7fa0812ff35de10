"""The keys of STOMP, as each source writes them."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.support.warren_process import warren_process
from warren.gateway.configuration.config import Config, ConfigError
from warren.gateway.configuration.load import load_config
from warren.gateway.network.addresses import Listener

TIME_LIMIT_S = 60.0


def read(directory: Path, name: str, text: str, **environment: str) -> Config:
    (directory / name).write_text(text)
    return load_config(
        config_file=directory / name, environment={"WARREN_IN_MEMORY": "true", **environment}, directory=directory
    )


def test_stomp_listens_unless_told_otherwise(tmp_path: Path) -> None:
    assert Listener("stomp", "localhost", 61613) in read(tmp_path, "warren.toml", "").listeners
    found = read(tmp_path, "warren.toml", 'listen = ["amqp=127.0.0.1:1"]').listeners
    assert found == (Listener("amqp", "127.0.0.1", 1),)


def test_a_table_in_toml(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        "warren.toml",
        "[stomp]\nfriendly = true\nmax_frame_size = '1MiB'\nlogin_timeout_s = 2.5\ndefault_nack_requeue = false\n",
    )
    assert config.stomp_friendly
    assert config.stomp_max_frame_bytes == 2**20
    assert config.stomp_login_timeout_s == 2.5
    assert not config.stomp_default_nack_requeue


@pytest.mark.parametrize("text", ["stomp.friendly = true", "stomp_friendly = true", "[stomp]\nfriendly = true"])
def test_spellings_in_toml(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, "warren.toml", text).stomp_friendly


def test_the_environment(tmp_path: Path) -> None:
    assert read(tmp_path, "warren.toml", "", WARREN_STOMP_FRIENDLY="yes").stomp_friendly


def test_unknown_keys_of_a_table(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown key stomp\.freindly; did you mean stomp"):
        read(tmp_path, "warren.toml", "[stomp]\nfreindly = true\n")


def test_rabbitmq_conf(tmp_path: Path) -> None:
    text = """
    stomp.listeners.tcp.1 = 127.0.0.1:61613
    stomp.listeners.tcp.2 = ::1:61614
    stomp.default_user = alice
    stomp.default_pass = secret
    stomp.default_vhost = /prod
    stomp.default_topic_exchange = topics
    stomp.default_nack_requeue = false
    stomp.implicit_connect = true
    stomp.hide_server_info = true
    stomp.login_timeout = 2000
    stomp.max_frame_size = 65536
    stomp.trailing_lf = false
    """
    config = read(tmp_path, "rabbitmq.conf", text)
    assert config.listeners[:-2] == (
        Listener("amqp", "localhost", 5672),
        Listener("stomp", "127.0.0.1", 61613),
        Listener("stomp", "::1", 61614),
    )
    assert (config.stomp_default_user, config.stomp_default_pass) == ("alice", "secret")
    assert (config.stomp_default_vhost, config.stomp_default_topic_exchange) == ("/prod", "topics")
    assert (config.stomp_default_nack_requeue, config.stomp_implicit_connect) == (False, True)
    assert (config.stomp_hide_server_info, config.stomp_trailing_lf) == (True, False)
    assert (config.stomp_login_timeout_s, config.stomp_max_frame_bytes) == (2.0, 65536)
    assert [text for text in config.warnings if "listens on localhost only" not in text] == []


def test_the_broker_obeys_them() -> None:
    options = ["--set", "stomp.friendly=true", "--set", "stomp.hide_server_info=true"]
    with (
        warren_process(in_memory=True, listen=["stomp=127.0.0.1:0"], options=options) as broker,
        socket.create_connection(broker.addresses["stomp"], TIME_LIMIT_S) as connection,
        connection.makefile("rb") as answers,
    ):
        connection.sendall(b"CONNECT\r\nlogin: guest\r\npasscode: guest\r\n\r\n")
        lines = [answers.readline() for _ in range(5)]
        assert lines[0] == b"CONNECTED\n"
        assert lines[3:] == [b"version:1.0\n", b"\n"]
        connection.sendall(b"send\r\n\r\nhello\r\n.\r\n")
        assert answers.readline() == b"\0\n"
        assert answers.readline() == b"ERROR\n"
        assert any(answers.readline().startswith(b"Hint: SEND") for _ in range(8))
