"""The keys of WebSocket, as each source writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from warren.gateway.configuration.config import Config, ConfigError
from warren.gateway.configuration.load import load_config


def read(directory: Path, name: str, text: str) -> Config:
    (directory / name).write_text(text)
    return load_config(config_file=directory / name, environment={"WARREN_IN_MEMORY": "true"}, directory=directory)


def test_defaults(tmp_path: Path) -> None:
    config = read(tmp_path, "warren.toml", "")
    assert config.websocket_stomp_frame == "text"
    assert config.websocket_compress
    assert config.websocket_idle_timeout_s == 60
    assert config.websocket_allow_origins == frozenset()
    assert not config.websocket_use_http_auth


def test_toml(tmp_path: Path) -> None:
    origins = 'websocket_allow_origins = ["https://a.example", "null"]\n'
    config = read(tmp_path, "warren.toml", origins + 'websocket_idle_timeout_s = 0\n[web_stomp]\nws_frame = "binary"\n')
    assert config.websocket_allow_origins == {"https://a.example", "null"}
    assert config.websocket_idle_timeout_s == 0
    assert config.websocket_stomp_frame == "binary"


def test_rabbitmq_conf(tmp_path: Path) -> None:
    lines = [
        "web_stomp.ws_frame = binary",
        "web_stomp.use_http_auth = true",
        "web_stomp.allow_origins.1 = https://a.example",
        "web_stomp.allow_origins.2 = https://b.example",
        "web_mqtt.allow_origins.1 = https://c.example",
        "web_stomp.ws_opts.idle_timeout = 90000",
        "web_mqtt.ws_opts.compress = false",
    ]
    config = read(tmp_path, "rabbitmq.conf", "\n".join(lines))
    assert config.websocket_stomp_frame == "binary"
    assert config.websocket_use_http_auth
    assert config.websocket_allow_origins == {"https://a.example", "https://b.example", "https://c.example"}
    assert config.websocket_idle_timeout_s == 90
    assert not config.websocket_compress
    assert [text for text in config.warnings if "listens on localhost only" not in text] == []


def test_rabbitmq_conf_allows_all_origins(tmp_path: Path) -> None:
    config = read(tmp_path, "rabbitmq.conf", "web_mqtt.allow_origins = none")
    assert config.websocket_allow_origins == frozenset()
    assert [text for text in config.warnings if "listens on localhost only" not in text] == []


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("web_stomp.ws_frame = both", "text, binary"),
        ("web_mqtt.ws_opts.idle_timeout = soon", "a number of seconds from 0 to 86400"),
        ("web_stomp.use_http_auth = maybe", "true or false"),
    ],
)
def test_wrong_values(tmp_path: Path, line: str, allowed: str) -> None:
    with pytest.raises(ConfigError, match=allowed):
        read(tmp_path, "rabbitmq.conf", line)
