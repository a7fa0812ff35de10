"""The notation of the cases says what it seems to say."""

from __future__ import annotations

import pytest

from tests.support import amqp_bytes as wire
from tests.wire.notation import NotationError, octets


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"AMQP" 0 0 9 1', wire.PROTOCOL_HEADER),
        ("octet:255 short:0x0102 long:3 longlong:4", b"\xff\1\2\0\0\0\3\0\0\0\0\0\0\0\4"),
        ('shortstr:"ab" longstr:"c"  # a comment\n 5', b"\2ab\0\0\0\1c\5"),
        (r'"\x00\xff\"\\"', b'\0\xff"\\'),
        ('"ä # [ ]"', "ä # [ ]".encode()),
        ('table[ shortstr:"k" "t" 1 ]', wire.table({"k": True})),
        ("repeat:3[ 1 2 ]", b"\1\2\1\2\1\2"),
        ('table[ nested:1:F[ shortstr:"k" "V" ] ]', wire.table({"t": {"k": None}})),
        ('longstr[ nested:2:A[ "V" ] ]', wire.longstr(wire.field([[None]]))),
        ("method:1:tx.select[]", wire.method(1, "tx.select")),
        ("method:7:basic.qos[ long:0 short:1 0 ]", wire.method(7, "basic.qos", b"\0\0\0\0\0\1\0")),
        ("heartbeat:0[]", wire.heartbeat()),
        ('body:1[ "x" ] body:2[]', wire.body(1, b"x") + wire.body(2, b"")),
        ("frame:9:2 size:5 end:0[ 1 ]", wire.frame(9, 2, b"\1", size=5, end=0)),
        ("method:1:tx.select end:0xCD[]", wire.method(1, "tx.select")[:-1] + b"\xcd"),
    ],
)
def test_notation(text: str, expected: bytes) -> None:
    assert octets(text) == expected


@pytest.mark.parametrize(
    "text", ["word", "[ 1 ]", "repeat:2[ 1", "1 ]", "word[ 1 ]", "body:1 sise:5[]", '"open', "body:1 []]"]
)
def test_mistakes_are_found(text: str) -> None:
    with pytest.raises(NotationError):
        octets(text)
