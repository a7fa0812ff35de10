"""RabbitMQ's other files: the classic format in Erlang terms, advanced.config, names without an end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway.configuration.test_rabbitmq_conf import read
from warren.gateway.configuration.config import ConfigError
from warren.gateway.configuration.load import load_config

CLASSIC = [
    "[{rabbit, [{tcp_listeners, [5672]}]}].",
    "%% comment\n%% [a]\n[\n  %% more\n  {rabbit, []}\n].",
    "[].",
]


@pytest.mark.parametrize("name", ["rabbitmq.config", "rabbitmq.conf", "rabbitmq"])
@pytest.mark.parametrize("text", CLASSIC)
def test_a_classic_configuration_says_what_to_do(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    said = r": this is RabbitMQ's classic format, in Erlang terms, .* as key = value .* ends in \.conf"
    with pytest.raises(ConfigError, match=said):
        load_config(environment={"RABBITMQ_CONFIG_FILE": name, "WARREN_IN_MEMORY": "true"}, directory=tmp_path)


def test_the_end_of_the_name_may_be_left_out_as_for_rabbitmq(tmp_path: Path) -> None:
    (tmp_path / "rabbitmq.conf").write_text("heartbeat = 7")
    environment = {"RABBITMQ_CONFIG_FILE": "rabbitmq", "WARREN_IN_MEMORY": "true"}
    assert load_config(environment=environment, directory=tmp_path).heartbeat_s == 7


def test_an_advanced_config_beside_it_is_not_read_and_said(tmp_path: Path) -> None:
    (tmp_path / "advanced.config").write_text("[].")
    assert "advanced.config: ignored: Warren reads no Erlang terms" in read(tmp_path, "listeners.tcp.1 = 1").warnings[0]
    (tmp_path / "advanced.config").rename(tmp_path / "other.config")
    found = read(tmp_path, "listeners.tcp.1 = 1", RABBITMQ_ADVANCED_CONFIG_FILE=str(tmp_path / "other.config"))
    assert "other.config: ignored" in found.warnings[0]
    assert read(tmp_path, "listeners.tcp.1 = 1").warnings == ()
