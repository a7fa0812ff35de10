"""docs/configuration.md describes every key, with the default that it really has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.configuration_page import refreshed
from tests.docs.pages import CONFIGURATION, blocks
from warren.gateway.configuration.catalogue import KEYS
from warren.gateway.configuration.load import load_config
from warren.gateway.protocols import PROTOCOLS

PAGE = CONFIGURATION.read_text()


def test_it_is_in_step_with_the_keys() -> None:
    assert refreshed(PAGE) == PAGE, "run: python -m tests.docs.configuration_page"


def test_every_key_is_there_in_order() -> None:
    assert re.findall(r"^### `(\w+)`$", PAGE, re.MULTILINE) == list(KEYS)


def test_it_would_be_put_in_step() -> None:
    """A wrong default, a section that is missing and one too many, and a text that isn't the declaration's."""
    page = PAGE.replace("Default: `131072`", "Default: `1`").replace("### `log_level`", "### `loquacity`")
    page = page.replace("0 offers none.", "0 offers none at all.")
    assert page.count("at all.") > PAGE.count("at all.")
    assert refreshed(page) == PAGE


def test_every_key_says_what_it_is_for() -> None:
    assert [name for name, key in KEYS.items() if not key.about.endswith((".", ")"))] == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_is_named(protocol: str) -> None:
    section = PAGE.partition("### `listen`")[2].partition("###")[0]
    assert f"`{protocol}`" in section


@pytest.mark.parametrize("option", ["--data-dir", "--in-memory", "--listen", "--ready-file", "--log-level"])
def test_keys_with_an_option_name_it(option: str) -> None:
    assert f"`{option}" in PAGE.partition("\n## Keys")[2]


def test_the_file_can_be_read(tmp_path: Path) -> None:
    (text,) = blocks(CONFIGURATION, "toml")
    (tmp_path / "warren.toml").write_text(text)
    config = load_config(directory=tmp_path, environment={})
    assert config.data_directory == Path("/var/lib/warren")
    assert len(config.listeners) == 2
    assert config.max_message_bytes == 128 * 2**20
    assert config.disk_free_limit_bytes == 2 * 10**9


FILE_VARIABLES = ("WARREN_CONFIG", "RABBITMQ_CONFIG_FILE")

VARIABLES = re.findall(r"`\$?((?:WARREN|RABBITMQ)_[A-Z_]+)`", PAGE)


def test_variables_are_named() -> None:
    assert set(FILE_VARIABLES) < set(VARIABLES)


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_variable_has_an_effect(variable: str, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("heartbeat_s = 30\n")
    value = "other.toml" if variable in FILE_VARIABLES else "30"
    changed = load_config(directory=tmp_path, environment={variable: value})
    assert changed != load_config(directory=tmp_path, environment={})
