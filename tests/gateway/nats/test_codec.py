"""NATS's protocol as octets: whatever comes, cut wherever, it is the same events, and nothing but events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from warren.gateway.nats.codec import (
    LINE_BYTES_MAX,
    Event,
    Fault,
    Info,
    Malformed,
    Message,
    Parser,
    Signal,
    checked_subject,
    encode_connect,
    encode_publish,
    encode_subscribe,
    encode_unsubscribe,
)
from warren.gateway.nats.errors import NatsProtocolError
from warren.gateway.nats.headers import Headers, decode_headers, encode_headers

WORDS = st.text(st.characters(categories=("L", "N"), include_characters="$_-*>"), min_size=1, max_size=6)
SUBJECTS = st.lists(WORDS, min_size=1, max_size=4).map(".".join)
NUMBERS = st.integers(0, 10**18 - 1)
FIELD_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8).map(str.strip)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z-]{0,8}", fullmatch=True)
FIELDS = st.dictionaries(NAMES, FIELD_TEXT.filter(lambda text: text == text.strip(" \t")), max_size=3)
HEADERS = st.just(b"") | FIELDS.map(encode_headers)
MESSAGES = st.builds(Message, SUBJECTS, NUMBERS, st.just("") | SUBJECTS, HEADERS, st.binary(max_size=40))
JSON = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.booleans(), max_size=4)
EVENTS = (
    MESSAGES | st.sampled_from(Signal) | JSON.map(Info) | st.just(Fault("Authorization Violation")) | st.just(Fault(""))
)


def octets(event: Event) -> bytes:
    """As a server sends it."""
    if isinstance(event, Message):
        words = [event.subject, str(event.sid), *([event.reply] if event.reply else [])]
        size = len(event.headers) + len(event.payload)
        sizes = [str(len(event.headers)), str(size)] if event.headers else [str(size)]
        verb = "HMSG" if event.headers else "MSG"
        return " ".join([verb, *words, *sizes]).encode() + b"\r\n" + event.headers + event.payload + b"\r\n"
    if isinstance(event, Info):
        return b"INFO " + json.dumps(event.fields).encode() + b" \r\n"
    if isinstance(event, Fault):
        return b"-ERR '" + event.text.encode() + b"'\r\n"
    assert isinstance(event, Signal)
    return event.value.encode() + b"\r\n"


def pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """The same octets, cut there."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


def parsed(data: bytes, cuts: Sequence[int] = ()) -> list[Event]:
    parser = Parser()
    return [event for piece in pieces(data, cuts) for event in parser.feed(piece)]


@given(st.lists(EVENTS, max_size=6), st.lists(st.integers(0, 2000), max_size=12))
def test_what_is_sent_is_what_comes_however_it_is_cut(events: list[Event], cuts: list[int]) -> None:
    data = b"".join(map(octets, events))
    assert parsed(data, cuts) == events
    assert parsed(data, range(len(data))) == events


@given(st.lists(EVENTS, min_size=1, max_size=4), st.data())
def test_what_is_damaged_gives_the_same_however_it_is_cut(events: list[Event], data: st.DataObject) -> None:
    whole = bytearray(b"".join(map(octets, events)))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    expected = parsed(bytes(whole))
    assert parsed(bytes(whole), range(len(whole))) == expected
    assert all(not isinstance(event, Malformed) for event in expected[:-1])


@given(st.binary(max_size=200))
@example(b"MSG a 1 5\r\nhello..")
@example(b"MSG a 1 99999999999999999999\r\n")
@example(b"HMSG a 1 9 5\r\nhello\r\n")
@example(b"INFO {}\r\nINFO []\r\n")
@example(b"\r\n")
def test_anything_at_all_is_events(data: bytes) -> None:
    assert parsed(data, range(len(data))) == parsed(data)


MALFORMED = [
    b"HELLO\r\n",
    b"\r\n",
    b"MSG a\r\n",
    b"MSG a 1 b c 3\r\n",
    b"MSG a one 3\r\n",
    b"MSG a 1 -3\r\n",
    b"MSG a 1 +3\r\n",
    b"MSG \xff 1 3\r\n",
    b"MSG a 1 3\r\nabcde",
    b"MSG a 1 99999999999\r\n",
    b"HMSG a 1 4 3\r\nabc\r\n",
    b"INFO {\r\n",
    b"INFO 1\r\n",
    b"INFO " + b"[" * 100_000 + b"\r\n",
    b"x" * LINE_BYTES_MAX,
]


@pytest.mark.parametrize("data", MALFORMED, ids=range(len(MALFORMED)))
def test_behind_what_is_malformed_nothing_comes(data: bytes) -> None:
    parser = Parser()
    (event,) = parser.feed(data)
    assert isinstance(event, Malformed)
    assert parser.feed(b"PING\r\n") == []
    assert not parser.has_rest


def test_a_message_may_be_limited() -> None:
    assert isinstance(Parser(3).feed(b"MSG a 1 4\r\n")[0], Malformed)
    assert Parser(3).feed(b"MSG a 1 3\r\nabc\r\n") == [Message("a", 1, "", b"", b"abc")]


def test_words_may_be_written_in_small_letters_and_far_apart() -> None:
    assert parsed(b"ping\r\nmsg\ta  7 \t 3\r\nabc\r\n-err  'No'\r\n+ok\r\n") == [
        Signal.PING,
        Message("a", 7, "", b"", b"abc"),
        Fault("No"),
        Signal.OK,
    ]


@given(SUBJECTS, st.just("") | SUBJECTS, HEADERS, st.binary(max_size=50))
def test_what_is_published_has_the_sizes_that_it_says(subject: str, reply: str, headers: bytes, payload: bytes) -> None:
    whole = b"".join(encode_publish(subject, payload, reply=reply, headers=headers))
    line, _, rest = whole.partition(b"\r\n")
    words = line.decode().split(" ")
    assert words[0] == ("HPUB" if headers else "PUB")
    assert words[1] == subject
    assert (words[2] == reply) if reply else (len(words) == (4 if headers else 3))
    assert rest == headers + payload + b"\r\n"
    assert int(words[-1]) == len(headers + payload)
    assert not headers or int(words[-2]) == len(headers)


@pytest.mark.parametrize("subject", ["", "a b", "a\r\nPING", "a\t", ".a", "a.", "a..b", "a\0", "a\u00a0b"])
def test_what_is_no_subject_never_goes_out(subject: str) -> None:
    for encode in (lambda: encode_publish(subject, b""), lambda: encode_subscribe(subject, 1)):
        with pytest.raises(ValueError, match="no NATS subject"):
            encode()
    assert subject == "" or checked_subject("a.b") == "a.b"


def test_commands() -> None:
    assert encode_connect({"verbose": False}) == b'CONNECT {"verbose":false}\r\n'
    assert encode_subscribe("a.*", 3) == b"SUB a.* 3\r\n"
    assert encode_subscribe("a.>", 3, "g") == b"SUB a.> g 3\r\n"
    assert encode_unsubscribe(3) == b"UNSUB 3\r\n"


@given(FIELDS)
def test_headers_come_back(fields: dict[str, str]) -> None:
    assert decode_headers(encode_headers(fields)) == Headers(0, "", fields)


@given(st.binary(max_size=60).map(lambda rest: b"NATS/1.0" + rest + b"\r\n\r\n"))
def test_headers_are_headers_or_refused(block: bytes) -> None:
    try:
        headers = decode_headers(block)
    except NatsProtocolError:
        return
    assert 0 <= headers.status <= 999
    assert all(name and ":" not in name for name in headers.fields)


@pytest.mark.parametrize("fields", [{"": "a"}, {"a:b": "c"}, {"a": "b\r\nc"}, {"a\n": "b"}])
def test_what_would_end_its_line_is_no_header(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="can't be a header"):
        encode_headers(fields)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (b"NATS/1.0 503\r\n\r\n", Headers(503)),
        (b"NATS/1.0 100 Idle Heartbeat\r\nA:b\r\n\r\n", Headers(100, "Idle Heartbeat", {"A": "b"})),
        (b"NATS/1.0\r\nA: b\r\nA: c\r\nB:\r\n\r\n", Headers(0, "", {"A": "c", "B": ""})),
    ],
)
def test_a_status_and_its_words(block: bytes, expected: Headers) -> None:
    assert decode_headers(block) == expected


@pytest.mark.parametrize(
    "block", [b"", b"NATS/1.0\r\n", b"HTTP/1.0\r\n\r\n", b"NATS/1.0 5x\r\n\r\n", b"NATS/1.0\r\nnone\r\n\r\n"]
)
def test_no_headers(block: bytes) -> None:
    with pytest.raises(NatsProtocolError):
        decode_headers(block)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "²"])
def test_no_number(text: str) -> None:
    with pytest.raises(NatsProtocolError):
        Headers(fields={"A": text}).number("A")
