"""docs/shovel.md names every key, every parameter of a URI and every state, and no other."""

from __future__ import annotations

import json
import re
import tomllib

import pytest

from tests.docs.pages import ROOT
from warren.adapters.amqp091.client.uri import AMQP_PARAMETERS, IGNORED_PARAMETERS
from warren.adapters.amqp10.client import uri as amqp10_uri
from warren.adapters.mqtt.client.uri import MQTT_PARAMETERS
from warren.adapters.peers.uri import COMMON_PARAMETERS, TLS_PARAMETERS
from warren.adapters.stomp.client.uri import STOMP_PARAMETERS
from warren.plugins.shovel.definition import (
    AMQP,
    COMMON_KEYS,
    DESTINATION_KEYS,
    LOCAL,
    OLDER_NAMES,
    PROTOCOLS,
    SOURCE_KEYS,
    read_definition,
)
from warren.plugins.shovel.filter import COMPARISONS, MEMBERS
from warren.plugins.shovel.http_definition import FIELDS as HTTP_FIELDS
from warren.plugins.shovel.http_messages import PROPERTY_HEADERS
from warren.plugins.shovel.kafka_definition import FIELDS as KAFKA_FIELDS
from warren.plugins.shovel.kafka_definition import KAFKA_PARAMETERS
from warren.plugins.shovel.plugin import static_shovels
from warren.plugins.shovel.stomp_definition import FIELDS

TEXT = (ROOT / "docs" / "shovel.md").read_text()


def section(heading: str) -> str:
    return TEXT.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]


def first_cells(heading: str) -> set[str]:
    """The names in backquotes in the first cells of the table below a heading."""
    rows = re.findall(r"^\| (`[^|]*`) \|", section(heading), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_every_key() -> None:
    amqp = first_cells("Keys") | set(re.findall(r"`((?:src|dest)-queue-args)`", section("Keys")))
    assert amqp == {*COMMON_KEYS, *SOURCE_KEYS["amqp091"], *DESTINATION_KEYS["amqp091"]}
    assert set(OLDER_NAMES.values()) <= set(COMMON_KEYS)


def test_every_member_of_a_filter_and_every_comparison() -> None:
    assert first_cells("Filter") == set(MEMBERS)
    told = re.sub(r"```.*?```", "", section("Filter"), flags=re.DOTALL)
    assert set(COMPARISONS) <= set(re.findall(r"`([^`]+)`", told))


def test_every_key_of_amqp10() -> None:
    named = first_cells("AMQP 1.0")
    assert named - set(amqp10_uri.AMQP10_PARAMETERS) == {*SOURCE_KEYS["amqp10"], *DESTINATION_KEYS["amqp10"]}
    assert set(amqp10_uri.AMQP10_PARAMETERS) <= named
    (ignored,) = re.findall(r"other parameters \(([^)]*)\)", section("AMQP 1.0"))
    assert set(re.findall(r"`([^`]+)`", ignored)) == amqp10_uri.IGNORED_PARAMETERS
    assert all(f"`{name}`" in section("AMQP 1.0") for name in amqp10_uri.SASL if name != "anon")


def test_every_key_of_mqtt() -> None:
    named = first_cells("MQTT")
    assert named - set(MQTT_PARAMETERS) == {*SOURCE_KEYS["mqtt"], *DESTINATION_KEYS["mqtt"]}
    assert set(MQTT_PARAMETERS) <= named


def test_every_key_of_stomp() -> None:
    named = first_cells("STOMP")
    assert named - set(STOMP_PARAMETERS) == {*SOURCE_KEYS["stomp"], *DESTINATION_KEYS["stomp"]}
    assert set(STOMP_PARAMETERS) <= named


def test_every_key_of_http() -> None:
    assert first_cells("HTTP") == {*SOURCE_KEYS["http"], *DESTINATION_KEYS["http"]}
    assert all(f"`{field}`" in section("HTTP") for field in HTTP_FIELDS)
    assert all(f"`{header}`" in section("HTTP") for header in PROPERTY_HEADERS.values())


def test_every_key_of_kafka() -> None:
    assert first_cells("Kafka") - set(KAFKA_PARAMETERS) == {*SOURCE_KEYS["kafka"], *DESTINATION_KEYS["kafka"]}
    assert set(KAFKA_PARAMETERS) <= first_cells("Kafka")
    assert all(f"`{field}`" in section("Kafka") for field in KAFKA_FIELDS)


def test_what_a_stomp_destination_may_have_in_it() -> None:
    assert set(re.findall(r"`(\{\w+\})`", section("STOMP"))) == set(FIELDS)


def test_the_protocols() -> None:
    assert set(re.findall(r"`dest-protocol` is `(\w+)`", TEXT)) == set(PROTOCOLS) - {AMQP, LOCAL}


EXAMPLES = re.findall(r"warren ctl set_parameter shovel \S+ \\\n\s+'(\{.*?\})'", TEXT, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_can_be_used(example: str) -> None:
    assert len(EXAMPLES) == 11
    read_definition(json.loads(example))


CONFIGURATIONS = re.findall(r"```toml\n(\[shovel\.static\..*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_every_configuration_can_be_used(configuration: str) -> None:
    assert len(CONFIGURATIONS) == 2
    assert static_shovels(tomllib.loads(configuration)["shovel"]["static"])


def test_every_parameter_of_a_uri() -> None:
    assert first_cells("URIs") == {*COMMON_PARAMETERS, *AMQP_PARAMETERS, *TLS_PARAMETERS}
    (ignored,) = re.findall(r"other parameters \(([^)]*)\)", section("URIs"))
    assert set(re.findall(r"`([^`]+)`", ignored)) == IGNORED_PARAMETERS


def test_every_state() -> None:
    assert first_cells("How is it") == {"starting", "running", "blocked", "terminated"}
