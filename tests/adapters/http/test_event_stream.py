"""Server-sent events, however the bytes are cut (HTML Standard 9.2.6)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.adapters.http.client import event_stream
from warren.adapters.http.client.event_stream import Event, EventStream
from warren.adapters.peers.errors import PeerError

STREAM = (
    b"\xef\xbb\xbf: welcome\r\n"
    b"retry: 1500\r\n\r\n"
    b"data: one\rdata:two\rid: 1\r\r"
    b"event: alarm\ndata\ndata: \n\n"
    b"id\ndata: no id\n\n"
    b"id: 2\nevent: nothing\n\n"
    b"id: 3\0\ndata:  kept blank\nunknown: x\n\n"
    b"data: never ended"
)
EVENTS = [
    Event(b"one\ntwo", "message", "1"),
    Event(b"\n", "alarm", "1"),
    Event(b"no id", "message", None),
    Event(b" kept blank", "message", "2"),
]


@given(st.lists(st.integers(1, len(STREAM) - 1)))
def test_how_bytes_are_cut_never_matters(cuts: list[int]) -> None:
    edges = [0, *sorted(set(cuts)), len(STREAM)]
    stream = EventStream()
    found = []
    for start, end in pairwise(edges):
        found += stream.receive(STREAM[start:end])
    assert found == EVENTS
    assert (stream.retry_ms, stream.last_id) == (1500, "2")


def test_byte_by_byte() -> None:
    stream = EventStream()
    assert [event for at in range(len(STREAM)) for event in stream.receive(STREAM[at : at + 1])] == EVENTS


def test_it_goes_on_with_the_id_of_before() -> None:
    stream = EventStream("7")
    assert stream.receive(b"data: a\n\n") == [Event(b"a", "message", "7")]


@pytest.mark.parametrize("line", [b"retry: x", b"retry: 1e3", b"retry: 99999999999", b"retry: -1"])
def test_a_pause_that_isnt_one_is_ignored(line: bytes) -> None:
    stream = EventStream()
    stream.receive(line + b"\n\n")
    assert stream.retry_ms is None


@pytest.mark.parametrize("parts", [[b"data: " + b"x" * 200], [b"data: " + b"x" * 60 + b"\n"] * 2])
def test_an_event_has_a_bound(parts: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "EVENT_BYTES_MAX", 100)
    stream = EventStream()
    with pytest.raises(PeerError, match="an event of more than 100 bytes"):
        _ = [stream.receive(part) for part in parts]
