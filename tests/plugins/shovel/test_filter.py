"""Which messages a filter lets through, and which filters are refused, with what is wrong."""

from __future__ import annotations

import re

import pytest

from warren.adapters.amqp091.client.incoming import Incoming
from warren.core.errors import PreconditionFailed
from warren.core.messages.field_table import Typed
from warren.core.messages.properties import EMPTY, Properties, encode_properties
from warren.core.storage.definitions.store import JSON
from warren.plugins.bridging.pump import BATCH_MAX
from warren.plugins.shovel.definition import read_definition
from warren.plugins.shovel.filter import STEPPING_BATCH_MAX, read_filter


def message(key: str = "devices.7.alarm", properties: Properties = EMPTY, exchange: str = "amq.topic") -> Incoming:
    return Incoming(1, False, exchange, key, properties, b"body")


RICH = encode_properties(
    type="alarm",
    priority=5,
    headers={"site": 7, "level": "12", "urgent": True, "ratio": 0.5, "raw": b"ab", "none": None, "big": Typed("l", 9)},
)


@pytest.mark.parametrize(
    ("asked", "key", "passes"),
    [
        ({"routing-key": "devices.*.alarm"}, "devices.7.alarm", True),
        ({"routing-key": "devices.*.alarm"}, "devices.7.reading", False),
        ({"routing-key": ["a", "devices.#"]}, "devices", True),
        ({"routing-key": ["a", "devices.#"]}, "a.b", False),
        ({"topic": "devices/+/alarm"}, "devices.7.alarm", True),
        ({"topic": "devices/+"}, "devices.7.alarm", False),
        ({"topic": ["x", "devices/#"]}, "devices.7.alarm", True),
        ({"topic": "#"}, "$SYS.a", False),
        ({"exchange": "amq.topic"}, "k", True),
        ({"exchange": ["x", "y"]}, "k", False),
        ({"routing-key": "a.#", "exchange": "x"}, "a.b", False),
    ],
)
def test_addresses(asked: JSON, key: str, passes: bool) -> None:
    assert read_filter(asked).passes(message(key)) == passes


@pytest.mark.parametrize(
    ("asked", "passes"),
    [
        ({"headers": {"site": 7}}, True),
        ({"headers": {"site": "7"}}, True),
        ({"headers": {"site": 7.0}}, True),
        ({"headers": {"site": 8}}, False),
        ({"headers": {"absent": 7}}, False),
        ({"headers": {"urgent": True, "site": 7}}, True),
        ({"headers": {"urgent": "true"}}, True),
        ({"headers": {"urgent": 1}}, False),
        ({"headers": {"raw": "ab"}}, True),
        ({"headers": {"level": {">": 2}}}, True),
        ({"headers": {"level": {">": "2"}}}, True),
        ({"headers": {"level": {">": 2, "<": 12}}}, False),
        ({"headers": {"level": {">=": 12, "<=": 12}}}, True),
        ({"headers": {"ratio": {"<": 1}}}, True),
        ({"headers": {"big": {">=": 9}}}, True),
        ({"headers": {"absent": {"<": 1}}}, False),
        ({"headers": {"urgent": {"<": 2}}}, False),
        ({"headers": {"site": {"!=": 8}}}, True),
        ({"headers": {"site": {"!=": 7}}}, False),
        ({"headers": {"absent": {"!=": 7}}}, True),
        ({"headers": {"site": {"in": [1, "7"]}}}, True),
        ({"headers": {"site": {"in": [1, 2]}}}, False),
        ({"headers": {"site": {"exists": True}, "absent": {"exists": False}}}, True),
        ({"headers": {"none": {"exists": True}}}, False),
        ({"headers": {"level": {"matches": "^1[0-9]$"}}}, True),
        ({"headers": {"level": {"matches": "^2"}}}, False),
        ({"properties": {"type": "alarm", "priority": {">": 4}}}, True),
        ({"properties": {"type": {">": "b"}}}, False),
        ({"properties": {"app_id": {"exists": False}}}, True),
    ],
)
def test_headers_and_properties(asked: JSON, passes: bool) -> None:
    assert read_filter(asked).passes(message(properties=RICH)) == passes
    if "exists" not in str(asked) and "!=" not in str(asked):
        assert not read_filter(asked).passes(message())


def test_an_expression_that_may_take_long_is_looked_at_in_small_batches() -> None:
    assert read_filter({"headers": {"a": {"matches": "^x"}}}).batch_max == BATCH_MAX
    assert read_filter({"headers": {"a": {"matches": r"(?=x)x*y"}}}).batch_max == STEPPING_BATCH_MAX


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "must be an object that has some of routing-key, topic, exchange, headers, properties"),
        ("a.#", "must be an object"),
        ({"key": "a"}, "has the unknown member 'key'"),
        ({"routing-key": 5}, "has 'routing-key' that isn't a text"),
        ({"routing-key": []}, "has 'routing-key' that isn't a text"),
        ({"topic": "a/#/b"}, "has a 'topic' that can't be used"),
        ({"topic": "$share/g/a"}, "with a share name"),
        ({"headers": {}}, "has 'headers' that isn't an object"),
        ({"headers": {"a": [1]}}, "has 'headers.a' that isn't a text, a number"),
        ({"headers": {"a": None}}, "has 'headers.a' that isn't a text, a number"),
        ({"headers": {"a": {}}}, "has 'headers.a' without a comparison"),
        ({"headers": {"a": {"=>": 1}}}, "the unknown comparison '=>'"),
        ({"headers": {"a": {"<": True}}}, "a bound that isn't a number or a text"),
        ({"headers": {"a": {"in": 1}}}, "'in' that isn't a list"),
        ({"headers": {"a": {"exists": 1}}}, "'exists' that isn't true or false"),
        ({"headers": {"a": {"matches": "("}}}, "'(', which is no regular expression"),
        ({"properties": {"kind": "a"}}, "has the unknown property 'kind'"),
        ({"headers": {f"h{each}": 1 for each in range(65)}}, "has too many conditions"),
    ],
)
def test_what_cant_be_used_is_refused(asked: JSON, said: str) -> None:
    value: dict[str, JSON] = {"src-uri": "amqp://", "src-queue": "a", "dest-uri": "amqp://far", "src-filter": asked}
    with pytest.raises(PreconditionFailed, match=re.escape("the key 'src-filter' ") + ".*" + re.escape(said)):
        read_definition(value)


def test_defaults_and_what_goes_with_what() -> None:
    least: dict[str, JSON] = {"src-uri": "amqp://", "src-queue": "a", "dest-uri": "amqp://far"}
    wanted: dict[str, JSON] = {"src-filter": {"routing-key": "a"}}
    found = read_definition({**least, **wanted})
    assert (found.filter, found.filter_rejects, found.dead_letter_after) == (
        read_filter({"routing-key": "a"}),
        False,
        None,
    )
    assert read_definition({**least, **wanted, "filter-else": "dead-letter"}).filter_rejects
    assert read_definition({**least, "dead-letter-after": 3}).dead_letter_after == 3
    mqtt: dict[str, JSON] = {"src-protocol": "mqtt", "src-uri": "mqtt://a", "src-topics": "a", "dest-uri": "amqp://"}
    for value, said in (
        ({**least, "filter-else": "drop"}, "'filter-else' says what becomes of what 'src-filter' leaves out"),
        ({**least, **wanted, "filter-else": "keep"}, "'filter-else' must be one of drop, dead-letter"),
        ({**least, **wanted, "filter-else": "dead-letter", "ack-mode": "no-ack"}, "needs 'on-confirm'"),
        ({**least, "dead-letter-after": 1, "ack-mode": "on-publish"}, "needs 'on-confirm'"),
        ({**least, "dead-letter-after": 0}, "'dead-letter-after' must be a whole number"),
        ({**mqtt, "dead-letter-after": 1}, "MQTT has no word for a message that can't be used"),
        ({**mqtt, **wanted, "filter-else": "dead-letter"}, "MQTT has no word for"),
    ):
        with pytest.raises(PreconditionFailed, match=re.escape(said)):
            read_definition(value)
    assert read_definition({**mqtt, **wanted}).filter is not None
