"""Redeclaration: what counts as the same, and how differences are told (spec A.5)."""

from __future__ import annotations

import pytest

from warren.core.declaring.equivalence import check_arguments, check_flag
from warren.core.errors import PreconditionFailed
from warren.core.messages.field_table import FieldTable, decode_table, encode_table

NAMES = ("x-message-ttl", "x-dead-letter-exchange")


def compare(received: bytes, current: bytes) -> None:
    check_arguments("queue 'q' in vhost '/'", NAMES, table(received), received, table(current), current)


def table(raw: bytes) -> FieldTable:
    return decode_table(raw, 0)[0]


def entry(name: str, tagged: bytes) -> bytes:
    body = bytes([len(name)]) + name.encode() + tagged
    return len(body).to_bytes(4, "big") + body


NOTHING = encode_table({})
TTL_LONG = entry("x-message-ttl", b"l" + (5).to_bytes(8, "big"))
TTL_SHORT = entry("x-message-ttl", b"s" + (5).to_bytes(2, "big"))
TTL_TEXT = entry("x-message-ttl", b"S\0\0\0\x015")
TTL_OTHER = entry("x-message-ttl", b"I" + (6).to_bytes(4, "big"))


def test_flags() -> None:
    check_flag("queue 'q' in vhost '/'", "durable", True, True)
    with pytest.raises(PreconditionFailed) as refused:
        check_flag("queue 'q' in vhost '/'", "durable", True, False)
    assert refused.value.text == (
        "inequivalent arg 'durable' for queue 'q' in vhost '/': received 'true' but current is 'false'"
    )


def test_the_width_of_an_integer_does_not_count() -> None:
    compare(TTL_LONG, TTL_SHORT)


def test_arguments_of_no_interest_do_not_count() -> None:
    compare(encode_table({"x-comment": "new"}), NOTHING)


@pytest.mark.parametrize(
    ("received", "current", "text"),
    [
        (TTL_LONG, NOTHING, "received the value '5' of type 'long' but current is none"),
        (NOTHING, TTL_SHORT, "received none but current is the value '5' of type 'short'"),
        (TTL_TEXT, TTL_LONG, "received the value '5' of type 'longstr' but current is the value '5' of type 'long'"),
        (TTL_OTHER, TTL_LONG, "received '6' but current is '5'"),
    ],
)
def test_differences_are_told(received: bytes, current: bytes, text: str) -> None:
    with pytest.raises(PreconditionFailed) as refused:
        compare(received, current)
    assert refused.value.text == f"inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': {text}"
