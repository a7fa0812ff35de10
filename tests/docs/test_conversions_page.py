"""Each row of the tables in docs/conversions.md has a test, which is there."""

from __future__ import annotations

from types import ModuleType
from typing import Final

import pytest

from tests.adapters.amqp10 import test_conversions as conversions
from tests.adapters.amqp10 import test_receiving as receiving
from tests.docs.pages import ROOT

PAGE: Final = ROOT / "docs" / "conversions.md"

TO_091: Final = "test_to_amqp_091"
NUMBERS: Final = "test_numbers_keep_their_width_both_ways"
BARE: Final = "test_the_bare_message_is_as_it_was"
MQTT: Final = "test_between_mqtt_5_and_amqp_1_0"
STOMP: Final = "test_between_stomp_and_amqp_1_0"

TESTS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "AMQP 0-9-1": {
        "header: durable": (TO_091, "durable", "not durable"),
        "header: priority": (TO_091, "priority"),
        "header: ttl": (TO_091, "ttl"),
        "header: first-acquirer, delivery-count": ("test_released_comes_again_and_says_so",),
        "properties: message-id, correlation-id": (
            TO_091,
            *(f"message-id {kind}" for kind in ("text", "uuid", "ulong", "binary", "long")),
            *("correlation-id text", "correlation-id long"),
        ),
        "properties: user-id": (TO_091, "user-id"),
        "properties: to, subject, absolute-expiry-time, group-sequence, reply-to-group-id": (BARE,),
        "properties: reply-to": (TO_091, "reply-to queue", "reply-to other"),
        "properties: reply-to `/exchanges/amq.topic/KEY`": (TO_091, "reply-to topic"),
        "properties: content-type, content-encoding": (TO_091, "content-type", "content-encoding"),
        "properties: creation-time": (TO_091, "creation-time"),
        "properties: group-id": (TO_091, "group-id"),
        "application properties": (TO_091, "application CC", "application null"),
        "annotation `x-basic-type`": (TO_091, "annotation x-basic-type"),
        "annotation `x-cc`": ("test_copies_go_to_further_keys",),
        "annotations that begin with `x-`": (TO_091, "annotation x-", "annotation other"),
        "annotations `x-exchange`, `x-routing-key`": ("test_every_message_says_where_it_was_published",),
        "annotation `x-opt-deaths`": ("test_rejected_and_undeliverable_is_a_dead_letter",),
        "one data section": ("test_bodies_to_amqp_091", "data"),
        "any other body": ("test_bodies_to_amqp_091", "value", "sequence"),
        "footer": (BARE,),
        "null": (TO_091, "application null"),
        "boolean": (TO_091, "application bool"),
        "ubyte, ushort, uint, byte, short, int, long": (NUMBERS, *"BuibsIl"),
        "ulong": (TO_091, "application ulong"),
        "float, double": (NUMBERS, *"fd"),
        "decimal": (TO_091, "application decimal"),
        "char, string, symbol": (TO_091, "application symbol"),
        "binary": (TO_091, "application binary"),
        "timestamp": (TO_091, "application timestamp", "application before 1970"),
        "uuid": (TO_091, "application uuid"),
        "list, array; map with keys that are texts": (TO_091, "annotation map"),
        "described value": (TO_091, "application described"),
    },
    "MQTT 5": {
        "header: durable": (MQTT,),
        "header: ttl": (MQTT,),
        "content-type": (MQTT,),
        "correlation-id": (MQTT,),
        "reply-to `/exchanges/amq.topic/KEY`": (MQTT,),
        "application properties": (MQTT,),
    },
    "STOMP": {
        "header: durable": (STOMP,),
        "message-id, correlation-id, content-type, reply-to": (STOMP,),
        "application properties": (STOMP,),
    },
}
"""By the other protocol and the first cell of a row: the test, and its parameters."""


def on_page() -> dict[str, list[str]]:
    """The first cells of all rows, by the heading that the tables are under."""
    found: dict[str, list[str]] = {}
    for part in PAGE.read_text("utf-8").split("\n## ")[1:]:
        heading, _, rest = part.partition("\n")
        tables = rest.split("|---")[1:]
        rows = [line for table in tables for line in table.partition("\n\n")[0].splitlines()[1:]]
        found[heading.removeprefix("AMQP 1.0 and ")] = [
            row.split("|")[1].strip() for row in rows if row.startswith("|")
        ]
    return found


def test_each_row_has_a_test() -> None:
    assert on_page() == {protocol: list(rows) for protocol, rows in TESTS.items()}


ROWS: Final = [(row, test) for rows in TESTS.values() for row, test in rows.items()]


@pytest.mark.parametrize(("row", "test"), ROWS, ids=[row for row, _ in ROWS])
def test_which_is_there(row: str, test: tuple[str, ...]) -> None:
    name, *parameters = test
    module: ModuleType = receiving if name in vars(receiving) else conversions
    marks = getattr(vars(module)[name], "pytestmark", [])
    ids = {each for mark in marks if mark.name == "parametrize" for each in mark.kwargs.get("ids") or ()}
    assert set(parameters) <= ids
