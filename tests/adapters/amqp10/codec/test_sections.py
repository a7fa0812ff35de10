"""The sections of messages that Proton writes, and of those that nobody should."""

from __future__ import annotations

from typing import Any

import proton
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.amqp10.codec.strategies import texts
from warren.adapters.amqp10.codec.decoding import decode
from warren.adapters.amqp10.codec.errors import Level, Undecodable
from warren.adapters.amqp10.codec.sections import (
    APPLICATION_PROPERTIES,
    DATA,
    DELIVERY_ANNOTATIONS,
    FOOTER,
    HEADER,
    MESSAGE_ANNOTATIONS,
    PROPERTIES,
    SECTION_BYTES_MAX,
    SEQUENCE,
    VALUE,
    sections_of,
)

WHOLE = {
    HEADER: b"\x00\x53\x70\x45",
    DELIVERY_ANNOTATIONS: b"\x00\x53\x71\xc1\x01\x00",
    MESSAGE_ANNOTATIONS: b"\x00\x53\x72\xc1\x01\x00",
    PROPERTIES: b"\x00\x53\x73\x45",
    APPLICATION_PROPERTIES: b"\x00\x53\x74\xc1\x01\x00",
    DATA: b"\x00\x53\x75\xa0\x01x",
    SEQUENCE: b"\x00\x53\x76\x45",
    VALUE: b"\x00\x53\x77\x41",
    FOOTER: b"\x00\x53\x78\xc1\x01\x00",
}


@given(
    st.one_of(texts, st.binary(max_size=300), st.lists(st.integers(0, 100)), st.none()),
    st.dictionaries(texts, st.integers(0, 100), max_size=3),
    st.dictionaries(st.sampled_from(["x-a", "x-b"]).map(proton.symbol), texts, max_size=2),
    st.booleans(),
)
def test_what_proton_writes_has_the_sections_that_it_should(
    body: Any, properties: dict[str, int], annotations: dict[proton.symbol, str], inferred: bool
) -> None:
    message = proton.Message(body=body, properties=properties, annotations=annotations, inferred=inferred, id="i")
    data = bytes(message.encode())
    found = sections_of(data)
    assert found[0].at == 0
    assert [a.end for a in found[:-1]] == [b.at for b in found[1:]]
    assert found[-1].end == len(data)
    for section in found:
        assert decode(data, section.value_at, section.end)[1] == section.end
    codes = [section.code for section in found]
    assert APPLICATION_PROPERTIES in codes or not properties
    assert MESSAGE_ANNOTATIONS in codes or not annotations
    assert any(DATA <= code <= VALUE for code in codes) or body is None


def test_every_order_but_the_right_one_is_refused() -> None:
    for one in WHOLE:
        for other in WHOLE:
            data = WHOLE[one] + WHOLE[other] + (b"" if max(one, other) >= DATA else WHOLE[DATA])
            both_bodies = DATA <= one <= VALUE and DATA <= other <= VALUE
            right = (one < other and not both_bodies) or (one == other and one in (DATA, SEQUENCE))
            if right:
                assert [section.code for section in sections_of(data)][:2] == [one, other]
            else:
                with pytest.raises(Undecodable) as refused:
                    sections_of(data)
                assert refused.value.level is Level.LINK


def test_descriptors_may_be_long_or_names() -> None:
    assert [each.code for each in sections_of(b"\x00\x80\0\0\0\0\0\0\0\x75\xa0\x00")] == [DATA]
    assert [each.code for each in sections_of(b"\x00\xa3\x10amqp:data:binary\xa0\x00")] == [DATA]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x41", "no section"),
        (b"\x00\x53\x79\x45", "none of a section"),
        (b"\x00\x53\x75", "without its value"),
        (b"\x00\x53\x75\xa1\x01x", "data as a value of the code 0xa1"),
        (b"\x00\x53\x70\xc1\x01\x00", "header as a value of the code 0xc1"),
        (b"\x00\x53\x75\xa0\x05x", "5 bytes where 1 are left"),
        (b"\x00\x53\x77", "without its value"),
        (b"\x00\x53\x77\x00\x53", "missing at the end|cut short"),
        (b"\x00\xa3\x03abc\x45", "none of a section"),
        (b"\x00\xa1", "no section"),
        (b"\x00\xa3\x05a", "5 bytes where 1 are left"),
        (b"\x00\x53\x74\xd1" + (SECTION_BYTES_MAX + 4).to_bytes(4, "big") + bytes(SECTION_BYTES_MAX + 4), "at most"),
    ],
)
def test_what_is_no_message_is_told_in_words(data: bytes, words: str) -> None:
    with pytest.raises(Undecodable, match=words) as refused:
        sections_of(data)
    assert refused.value.level is Level.LINK


@given(st.binary(max_size=60), st.sampled_from(sorted(WHOLE)), st.sampled_from(sorted(WHOLE)))
def test_any_bytes_are_sections_or_undecodable(data: bytes, one: int, other: int) -> None:
    for each in (data, WHOLE[one] + data, WHOLE[one] + WHOLE[other] + data):
        try:
            found = sections_of(each)
        except Undecodable:
            continue
        assert sum(section.end - section.at for section in found) == len(each)
