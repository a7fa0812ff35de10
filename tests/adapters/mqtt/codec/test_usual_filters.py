"""Many filters looked at together: what is usual is what each by itself is, and the rest is left to a closer look."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.decode import decode
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.errors import PacketError
from warren.adapters.mqtt.codec.packets import Subscribe, Subscription, Unsubscribe
from warren.adapters.mqtt.codec.topics import check_filter, usual_filters
from warren.adapters.mqtt.codec.wire_subscribe import FILTERS_PER_SLICE

texts = st.text(alphabet="ab/+#$\0é", max_size=6)


def is_usual(text: str) -> bool:
    if not text.isascii() or "\0" in text or text.startswith("$"):
        return False
    try:
        check_filter(text)
    except PacketError:
        return False
    return True


@given(st.lists(texts, min_size=1, max_size=4))
def test_all_are_usual_or_none_is_taken(filters: list[str]) -> None:
    expected = filters if all(map(is_usual, filters)) else []
    assert usual_filters([text.encode() for text in filters]) == expected


def test_no_filters_are_none() -> None:
    assert usual_filters([]) == []


@pytest.mark.parametrize("odd", ["", "é/x", "$share/g/a", "$SYS/#"])
@pytest.mark.parametrize("at", [0, 3, FILTERS_PER_SLICE + 5])
def test_an_odd_one_among_many_is_read_as_itself(odd: str, at: int) -> None:
    filters = [f"f/{number}/+" for number in range(2 * FILTERS_PER_SLICE)]
    if odd:
        filters[at] = odd
    subscriptions = tuple(Subscription(each, number % 3) for number, each in enumerate(filters))
    for packet in (Subscribe(1, subscriptions), Unsubscribe(1, tuple(filters))):
        data = encode(packet, versions.V5)
        assert decode(data, 0, len(data), versions.V5, len(data)) == (packet, len(data))
