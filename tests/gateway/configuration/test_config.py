"""The configuration as a value: equal, shown, replaced, and described as plain JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from warren.core.configuration.key import Key
from warren.gateway.configuration.catalogue import KEYS
from warren.gateway.configuration.config import Config
from warren.gateway.configuration.given import Remark, Weight
from warren.gateway.configuration.load import describe
from warren.gateway.configuration.options import adapters_for


def test_equal_by_values_file_and_remarks() -> None:
    assert Config(in_memory=True) == Config(in_memory=True)
    assert Config(in_memory=True) != Config(in_memory=True, file=Path("a"))
    assert Config(in_memory=True) != Config(in_memory=True, remarks=(Remark(Weight.NOTE, "n"),))
    assert Config(in_memory=True) != Config(in_memory=True, mqtt_prefetch=1)
    assert Config().__eq__("something else") is NotImplemented


def test_what_is_replaced_leaves_the_rest() -> None:
    remarks = (Remark(Weight.NOTE, "n"), Remark(Weight.WARNING, "w"), Remark(Weight.SECURITY, "s"))
    made = Config(in_memory=True, mqtt_prefetch=3, file=Path("a"), remarks=remarks).replace(mqtt_prefetch=4)
    assert (made.in_memory, made.mqtt_prefetch, made.file, made.remarks) == (True, 4, Path("a"), remarks)
    assert made.warnings == ("w", "SECURITY: s")


def test_shown_without_secrets() -> None:
    assert repr(Config(mqtt_prefetch=3, default_pass="swordfish")) == "Config(mqtt_prefetch=3, default_pass=...)"


def test_attributes_with_an_underscore_are_no_keys() -> None:
    with pytest.raises(AttributeError, match=r"^_absent$"):
        Config().__getattr__("_absent")


def test_auto_needs_every_protocol_that_is_known_by_its_first_bytes() -> None:
    assert list(adapters_for(["ws", "auto", "ws"])) == ["ws", "amqp", "amqp10", "stomp", "mqtt", "stream"]
    assert list(adapters_for(["mqtt", "stomp"])) == ["mqtt", "stomp"]


def test_one_value_by_its_key() -> None:
    key: Key[object] = KEYS["mqtt_prefetch"]
    assert Config(mqtt_prefetch=3).value(key) == 3
    assert Config().value(key) == key.default


def test_described_as_plain_values() -> None:
    shown = describe(Config(in_memory=True, mqtt_prefetch=3))
    assert shown["in_memory"] is True
    assert shown["mqtt_prefetch"] == 3
    assert shown["config_file"] is None
    assert shown["data_directory"] is None
