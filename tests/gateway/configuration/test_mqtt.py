"""The keys of MQTT, as rabbitmq.conf and Warren's own files write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from warren.gateway.configuration.config import Config, ConfigError
from warren.gateway.configuration.load import load_config


def read(directory: Path, name: str, text: str) -> Config:
    (directory / name).write_text(text)
    return load_config(config_file=directory / name, environment={"WARREN_IN_MEMORY": "true"}, directory=directory)


def test_rabbitmq_conf(tmp_path: Path) -> None:
    lines = [
        "mqtt.vhost = plant",
        "mqtt.allow_anonymous = true",
        "anonymous_login_user = sensor",
        "anonymous_login_pass = secret",
        "mqtt.prefetch = 10",
        "mqtt.login_timeout = 5000",
        "mqtt.max_packet_size_authenticated = 65536",
        "mqtt.max_session_expiry_interval_seconds = infinity",
        "mqtt.topic_alias_maximum = 0",
        "mqtt.mailbox_soft_limit = 200",
        "mqtt.disconnect_on_unauthorized = false",
        "mqtt.ignore_colons_in_username = true",
        "mqtt.ssl_cert_login = true",
        "mqtt.exchange = devices",
        "mqtt.sparkplug = true",
    ]
    config = read(tmp_path, "rabbitmq.conf", "\n".join(lines))
    assert [text for text in config.warnings if "listens on localhost only" not in text] == []
    assert (config.mqtt_default_vhost, config.mqtt_allow_anonymous) == ("plant", True)
    assert (config.mqtt_default_user, config.mqtt_default_pass) == ("sensor", "secret")
    assert (config.mqtt_prefetch, config.mqtt_login_timeout_s, config.mqtt_max_packet_bytes) == (10, 5.0, 65_536)
    assert (config.mqtt_max_session_expiry_s, config.mqtt_topic_alias_maximum) == (0xFFFF_FFFF, 0)
    assert config.mqtt_max_queued_qos_0_messages == 200
    assert not config.mqtt_disconnect_on_unauthorized
    assert config.mqtt_ignore_colons_in_username
    assert config.mqtt_certificate_login
    assert (config.mqtt_exchange, config.mqtt_sparkplug) == ("devices", True)


def test_the_old_name_of_the_delay_of_refused_logins(tmp_path: Path) -> None:
    config = read(tmp_path, "warren.toml", "refused_logins_max = 7\n[mqtt]\nrefused_login_delay_s = 0.25\n")
    assert (config.refused_login_delay_s, config.refused_logins_max) == (0.25, 7)


def test_no_anonymous_login(tmp_path: Path) -> None:
    config = read(tmp_path, "rabbitmq.conf", "anonymous_login_user = none")
    assert not config.mqtt_allow_anonymous
    assert [text for text in config.warnings if "listens on localhost only" not in text] == []


def test_toml(tmp_path: Path) -> None:
    text = "mqtt_refused_login_delay_s = 0.5\n[mqtt]\nshared_subscription_strategy = 'hash'\n"
    text += "max_queued_messages = 0\nmax_queued_qos_0_bytes = '1MiB'\n"
    config = read(tmp_path, "warren.toml", text)
    assert config.refused_login_delay_s == 0.5
    assert config.mqtt_max_queued_messages == 0
    assert config.mqtt_shared_subscription_strategy == "hash"
    assert config.mqtt_max_queued_qos_0_bytes == 2**20


@pytest.mark.parametrize(
    "text",
    [
        "mqtt_refused_login_delay_s = 61",
        "mqtt_max_queued_qos_0_messages = 0",
        "mqtt_shared_subscription_strategy = 'random'",
    ],
)
def test_out_of_bounds(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        read(tmp_path, "warren.toml", text)
