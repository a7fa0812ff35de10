"""What `x-delay` and `x-deliver-at` mean."""

from __future__ import annotations

import pytest

from tests.support.core_clients import with_headers
from warren.core.exchanges.delaying.headers import TIME_MS_MAX, due_at_ms, with_delay_negated
from warren.core.messages.field_table import Encodable, Timestamp, Typed, decode_table, encode_table, field_types
from warren.core.messages.properties import EMPTY, encode_properties

NOW_MS = 1_700_000_000_000


def due(**headers: Encodable) -> int | None:
    """When a message with these headers is due, relative to now, by way of the wire."""
    raw = encode_table({name.replace("_", "-"): value for name, value in headers.items()})
    at_ms = due_at_ms(decode_table(raw, 0)[0], NOW_MS)
    return None if at_ms is None else at_ms - NOW_MS


@pytest.mark.parametrize(
    ("value", "delay_ms"),
    [
        (5000, 5000),
        (1, 1),
        (2**32, 2**32),
        (2**62, 2**62),
        (Typed("b", 100), 100),
        (Typed("s", 3000), 3000),
        (Typed("I", 5000), 5000),
        (Typed("i", 4_000_000_000), 4_000_000_000),
        ("5000", 5000),
        ("0005000", 5000),
        (1500.9, 1500),
        (0, None),
        (-5000, None),
        ("-5000", None),
        ("0", None),
        ("", None),
        ("soon", None),
        ("5s", None),
        ("\u0665", None),
        ("5.5", None),
        (True, None),
        (None, None),
        (0.5, None),
        (float("nan"), None),
        (float("inf"), None),
        ([5000], None),
        ({"a": 5000}, None),
        (b"5000", None),
    ],
)
def test_a_delay(value: Encodable, delay_ms: int | None) -> None:
    assert due(x_delay=value) == delay_ms


@pytest.mark.parametrize("value", ["9" * 19, "9" * 10_000, 1e300, 2**63 - 1])
def test_a_delay_beyond_all_times_is_the_last_time(value: Encodable) -> None:
    assert due(x_delay=value) == TIME_MS_MAX - NOW_MS


@pytest.mark.parametrize(
    ("value", "delay_ms"),
    [
        (NOW_MS + 5000, 5000),
        (str(NOW_MS + 5000), 5000),
        (Timestamp(NOW_MS // 1000 + 5), 5000),
        (Timestamp(2**64 - 1), TIME_MS_MAX - NOW_MS),
        (NOW_MS, None),
        (NOW_MS - 1, None),
        (Timestamp(NOW_MS // 1000), None),
        ("tomorrow", None),
        (None, None),
    ],
)
def test_a_point_in_time(value: Encodable, delay_ms: int | None) -> None:
    assert due(x_deliver_at=value) == delay_ms


def test_the_point_in_time_wins_if_it_is_one() -> None:
    assert due(x_deliver_at=NOW_MS + 5, x_delay=7) == 5
    assert due(x_deliver_at=NOW_MS - 5, x_delay=7) is None
    assert due(x_deliver_at="whenever", x_delay=7) == 7


def test_without_headers_nothing_waits() -> None:
    assert due_at_ms(None, NOW_MS) is None
    assert due_at_ms({}, NOW_MS) is None
    assert due(other=5) is None


@pytest.mark.parametrize(
    ("value", "negated", "tag"),
    [
        (5000, -5000, "signedint"),
        ("5000", -5000, "signedint"),
        (Typed("B", 200), -200, "signedint"),
        (1500.9, -1500, "signedint"),
        (2**40, -(2**40), "long"),
        ("9" * 30, -(10**19), "longstr"),
    ],
)
def test_the_delay_is_negated_on_delivery(value: Encodable, negated: int, tag: str) -> None:
    changed = with_delay_negated(with_headers(before=1, x_delay=value, after="x"))
    headers = changed.headers
    assert headers is not None
    assert (headers["before"], int(str(headers["x-delay"])), headers["after"]) == (1, negated, "x")
    raw = encode_properties(headers=headers).raw
    assert field_types(changed.raw, 2)["x-delay"] == tag, raw
    assert due_at_ms(headers, NOW_MS) is None


@pytest.mark.parametrize("value", [0, -5, "soon", None, True])
def test_other_delays_stay_as_they_are(value: Encodable) -> None:
    properties = with_headers(x_delay=value)
    assert with_delay_negated(properties) is properties
    assert with_delay_negated(EMPTY) is EMPTY
