"""Files that were written for RabbitMQ."""

from __future__ import annotations

from pathlib import Path

import pytest

from warren.core.configuration.values import Watermark
from warren.gateway.configuration.config import Config, ConfigError
from warren.gateway.configuration.load import load_config
from warren.gateway.network.addresses import Listener

EVERYTHING = """
# A comment
listeners.tcp.1 = 127.0.0.1:5672
listeners.tcp.2 = ::1:5673
listeners.tcp.default = 5674   # every address
  default_user = admin
default_pass = 'p#ss'
default_vhost = /prod
loopback_users.guest = false
loopback_users.monitor = true
heartbeat = 30
frame_max = 65536
channel_max = 0
handshake_timeout = 2500
max_message_size = 1048576
vm_memory_high_watermark.relative = 0.7
disk_free_limit.absolute = 2GB
log.console.level = warning
cluster_name = burrow
product.name = Rabbit

collect_statistics_interval = 10000
prometheus.tcp.port = 15692
"""


def read(tmp_path: Path, text: str, **environment: str) -> Config:
    file = tmp_path / "rabbitmq.conf"
    file.write_text(text)
    environment = {"RABBITMQ_CONFIG_FILE": str(file), "WARREN_IN_MEMORY": "true", **environment}
    return load_config(environment=environment, directory=tmp_path)


def test_every_key_that_applies(tmp_path: Path) -> None:
    config = read(tmp_path, EVERYTHING)
    assert config.listeners == (
        Listener("amqp", "127.0.0.1", 5672),
        Listener("amqp", "::1", 5673),
        Listener("amqp", "0.0.0.0", 5674),
    )
    assert (config.default_user, config.default_pass, config.default_vhost) == ("admin", "p#ss", "/prod")
    assert config.loopback_users == {"monitor"}
    assert (config.heartbeat_s, config.frame_max, config.channel_max) == (30, 65536, 65535)
    assert config.handshake_timeout_s == 2.5
    assert config.max_message_bytes == 1048576
    assert config.memory_high_watermark == Watermark(relative=0.7)
    assert config.disk_free_limit_bytes == 2_000_000_000
    assert (config.log_level, config.cluster_name, config.product) == ("warning", "burrow", "Rabbit")


def test_keys_without_a_counterpart_are_listed(tmp_path: Path) -> None:
    warnings = read(tmp_path, EVERYTHING).warnings
    assert [text.split(": ")[1] for text in warnings] == [
        "collect_statistics_interval is not a key that Warren has; ignored",
        "prometheus.tcp.port is not a key that Warren has; ignored",
    ]


def test_later_sources_win(tmp_path: Path) -> None:
    config = read(tmp_path, EVERYTHING, WARREN_LISTEN="amqp=[::1]:1", RABBITMQ_DEFAULT_USER="env")
    assert config.listeners == (Listener("amqp", "::1", 1),)
    assert config.default_user == "env"


def test_small_forms(tmp_path: Path) -> None:
    assert read(tmp_path, "listeners.tcp.default = :::5672").listeners == (Listener("amqp", "::", 5672),)
    assert read(tmp_path, "listeners.tcp.a = [::1]:1").listeners == (Listener("amqp", "::1", 1),)
    assert read(tmp_path, "listeners.tcp.a = 1\nlisteners.tcp = none").listeners == Config().listeners
    assert read(tmp_path, "loopback_users = none").loopback_users == frozenset()
    assert read(tmp_path, "heartbeat = 1\nheartbeat = 2").heartbeat_s == 2
    absolute = read(tmp_path, "vm_memory_high_watermark.absolute = 1GiB").memory_high_watermark
    assert absolute == Watermark(absolute_bytes=2**30)


REFUSED = [
    ("heartbeat: 10", "line 1: 'heartbeat: 10': must be key = value"),
    ("\n[section]", "line 2"),
    ("heartbeat = often", "heartbeat = 'often': must be a whole number"),
    ("handshake_timeout = soon", "handshake_timeout = 'soon': must be a number of seconds"),
    ("listeners.tcp.default = amqp", "listeners.tcp.default = 'amqp=0.0.0.0:amqp': must be HOST:PORT"),
    ("loopback_users.guest = maybe", "loopback_users.guest = 'maybe': must be true or false"),
    ("loopback_users = guest", "loopback_users = 'guest': must be none"),
]


@pytest.mark.parametrize(("text", "expected"), REFUSED)
def test_what_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'rabbitmq.conf'}: ")
    assert expected in str(caught.value)
