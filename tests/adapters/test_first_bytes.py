"""Which protocol the first bytes of a connection belong to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.adapters import first_bytes
from warren.adapters.first_bytes import MORE, TLS, answer_to_typing, hint_for
from warren.adapters.interface import Adapter, Beginning
from warren.adapters.websocket.adapter import HTTP_METHODS
from warren.gateway.protocols import PROTOCOLS

OWN = PROTOCOLS.own()


def recognise(data: bytes) -> str | None:
    return first_bytes.recognise(data, OWN)


def hint(data: bytes, expected: str) -> str:
    return hint_for(expected, PROTOCOLS)(data)


BEGINNINGS = [
    (b"AMQP\x00\x00\x09\x01", "amqp"),
    (b"AMQP\x03\x01\x00\x00", "amqp"),
    (bytes.fromhex("10 10 0004") + b"MQTT", "mqtt"),
    (b"GET /ws HTTP/1.1\r\n", "ws"),
    (b"HEAD / HTTP/1.1\r\n", "ws"),
    (b"OPTIONS * HTTP/1.1\r\n", "ws"),
    (b"CONNECT proxy.example:443 HTTP/1.1\r\n", "ws"),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "ws"),
    (b"CONNECT\naccept-version:1.2\n\n\0", "stomp"),
    (b"CONNECT\r\nhost:/\r\n\r\n\0", "stomp"),
    (b"CONNECT \r\n\r\n", "stomp"),
    (b"CONNECT  \r\n\r\n", "stomp"),
    (b"STOMP\n\n\0", "stomp"),
    (b"SEND\n\n\0", "stomp"),
    (b"HELP\r\n", "stomp"),
    (b"HELLO\r\n", "stomp"),
    (b"connect\r\n", "stomp"),
    (b"get / http/1.1\r\n", "stomp"),
    (b"\r\nCONNECT\r\n", "stomp"),
    (b"\n", "stomp"),
    (b"ABORT\n", "stomp"),
    (b"AMQ\n", "stomp"),
    (b"POSTED\n", "stomp"),
    (b"GET\r\n", "stomp"),
    (b"?\r\n", "stomp"),
    (b"\xff\xfb\x1f", "stomp"),
    (b"\xff\xf4", "stomp"),
    (b"\xff\x10", None),
    (bytes.fromhex("16 0301 0200 01 0001fc 0303"), TLS),
    (bytes.fromhex("16 02"), None),
    (b"\0\0\0\x0c\0\x11\0\1", "stream"),
    (b"\0\0\0\x0c\0\x12\0\1", "stream"),
    (b"\0\0\0\x0c\0\x11\0\2", None),
    (b"\0\0\0\0\0\0", None),
    (b"\0\1\0\0", None),
    (b"\x20\x02\x00\x00"[1:], None),
    (b"\x80\x2e\x01\x00\x02", None),
    (b"\xef\xbb\xbfCONNECT\n", None),
    (b"\x7f", None),
]


@pytest.mark.parametrize(("data", "expected"), BEGINNINGS, ids=[repr(data[:20]) for data, _ in BEGINNINGS])
def test_the_beginning_of_a_connection(data: bytes, expected: str | None) -> None:
    assert recognise(data) == expected


@pytest.mark.parametrize(("data", "expected"), BEGINNINGS, ids=[repr(data[:20]) for data, _ in BEGINNINGS])
def test_fewer_bytes_give_the_same_answer_or_none_yet(data: bytes, expected: str | None) -> None:
    answers = [recognise(data[:count]) for count in range(len(data) + 1)]
    decided = [answer for answer in answers if answer != MORE]
    assert answers[: len(answers) - len(decided)] == [MORE] * (len(answers) - len(decided))
    assert set(decided) == {expected}


@given(st.binary(min_size=10))
def test_ten_bytes_are_enough(data: bytes) -> None:
    answer = recognise(data)
    assert answer in ("amqp", "mqtt", "ws", "stomp", TLS, None)


@given(st.binary(max_size=12), st.binary(max_size=12))
def test_a_decision_stands(start: bytes, more: bytes) -> None:
    answer = recognise(start)
    if answer != MORE:
        assert recognise(start + more) == answer


@pytest.mark.parametrize("method", HTTP_METHODS)
def test_every_method_of_http(method: bytes) -> None:
    assert recognise(method + b" /x HTTP/1.1\r\n") == "ws"
    assert recognise(method) == MORE


def test_hints_say_what_came_instead() -> None:
    assert "this is TLS" in hint(b"\x16\x03\x01", "amqp")
    assert "this is HTTP" in hint(b"GET / HTTP/1.1", "stomp")
    assert "this is AMQP" in hint(b"AMQP\0\0\x09\x01", "stomp")
    assert "this is MQTT" in hint(b"\x10\x10", "amqp")
    for data, expected in (
        (b"AMQP\0", "amqp"),
        (b"GET / HTTP", "ws"),
        (b"SEND\n", "amqp"),
        (b"\0", "amqp"),
        (b"", "ws"),
    ):
        assert hint(data, expected) == ""


def greets(data: bytes) -> Beginning:
    """Lines that begin with `HELLO `, to the letter."""
    word = b"HELLO "
    if not word.startswith(data[: len(word)]):
        return Beginning.OTHER
    return Beginning.MINE if len(data) >= len(word) else Beginning.MORE


def test_another_protocol_goes_before_text() -> None:
    adapters = {**OWN, "greeting": Adapter(OWN["stomp"].configure, first_bytes=greets)}
    answers = [first_bytes.recognise(b"HELLO you"[:count], adapters) for count in range(1, 10)]
    assert answers == [MORE] * 5 + ["greeting"] * 4
    assert first_bytes.recognise(b"HELP\r\n", adapters) == "stomp"
    assert first_bytes.recognise(b"HEAD / HTTP/1.1", adapters) == "ws"


def test_a_protocol_that_says_nothing_of_its_bytes_is_never_recognised() -> None:
    assert first_bytes.recognise(b"SEND", {"quiet": Adapter(OWN["stomp"].configure)}) is None


@pytest.mark.parametrize("typed", [b"help\r\n", b"?\n", b"\xff\xfd\x03", b"CONNECT\r\n", b"HELP\n"])
def test_who_types_at_a_port_for_programs_is_told_what_it_is_for(typed: bytes) -> None:
    assert answer_to_typing("mqtt", PROTOCOLS)(typed) == (
        b"\r\nThis port speaks MQTT, which is for programs. What can be typed is STOMP, which has a port of its own "
        b"(61613, unless the broker is configured otherwise): connect there, and type HELP.\r\n"
    )


@pytest.mark.parametrize(
    "programs",
    [
        b"0\x05\0\1axx",
        b"GET / HTTP/1.1\r\n",
        b"AMQP\0\0\x09\x02",
        b"\x16\x03\x01",
        b"HELLO\0\0\0",
        b"\0\0\0",
        b"CONNECT\n",
        b"STOMP\naccept",
        b"CONN",
        b"h",
        b"amqp",
        1000 * b"a",
    ],
)
def test_programs_get_no_text(programs: bytes) -> None:
    assert answer_to_typing("mqtt", PROTOCOLS)(programs) == b""
