"""docs/configuration.md describes every key, with the default that it really has."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gateway.config import Config, describe, load_config
from gateway.config_keys import KEYS
from tests.docs.pages import CONFIGURATION, blocks

_SECTION = re.compile(r"^### `(\w+)`\n\nDefault: (.*)\n\n(\S[\s\S]*?)(?=\n#|\Z)", re.MULTILINE)

SECTIONS = {name: (default, text) for name, default, text in _SECTION.findall(CONFIGURATION.read_text())}

ELSEWHERE = {"data_directory", "cluster_name"}
"""Keys whose default depends on the machine; the text says how."""


def shown_default(name: str) -> str:
    """The default as the page must show it."""
    if name in ELSEWHERE:
        return "see below"
    # Secrets are hidden by describe; this one is a well-known password.
    value = Config().default_pass if name == "default_pass" else describe(Config(in_memory=True))[name]
    if name == "in_memory":
        value = Config().in_memory
    if name == "memory_high_watermark":
        value = float(str(value))
    return "none" if value is None else f"`{json.dumps(value)}`"


def test_every_key_is_there_in_order() -> None:
    assert list(SECTIONS) == list(KEYS)


@pytest.mark.parametrize("name", KEYS)
def test_the_default_is_right(name: str) -> None:
    assert SECTIONS[name][0] == shown_default(name)


@pytest.mark.parametrize("option", ["--data-dir", "--in-memory", "--listen", "--ready-file", "--log-level"])
def test_keys_with_an_option_name_it(option: str) -> None:
    assert sum(option in text for _, text in SECTIONS.values()) >= 1


def test_the_file_can_be_read(tmp_path: Path) -> None:
    (text,) = blocks(CONFIGURATION, "toml")
    (tmp_path / "warren.toml").write_text(text)
    config = load_config(directory=tmp_path, environment={})
    assert config.data_directory == Path("/var/lib/warren")
    assert len(config.listeners) == 2
    assert config.max_message_bytes == 128 * 2**20
    assert config.disk_free_limit_bytes == 2 * 10**9


FILE_VARIABLES = ("WARREN_CONFIG", "RABBITMQ_CONFIG_FILE")

VARIABLES = re.findall(r"`\$?((?:WARREN|RABBITMQ)_[A-Z_]+)`", CONFIGURATION.read_text())


def test_variables_are_named() -> None:
    assert set(FILE_VARIABLES) < set(VARIABLES)


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_variable_has_an_effect(variable: str, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("heartbeat_s = 30\n")
    value = "other.toml" if variable in FILE_VARIABLES else "30"
    changed = load_config(directory=tmp_path, environment={variable: value})
    assert changed != load_config(directory=tmp_path, environment={})
