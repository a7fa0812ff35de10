"""Requests and responses of one connection, however the bytes are cut, and what no service may answer."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.adapters.http.client.exchange import END, HEAD_BYTES_MAX, Came, Exchanges, Head
from warren.adapters.http.client.uri import parse_http_uri
from warren.adapters.peers.errors import PeerError
from warren.core.errors import PreconditionFailed

HEADERS = (("Host", "a.example"), ("Content-Length", "4"))


def asked() -> Exchanges:
    exchanges = Exchanges()
    exchanges.request("POST", "/in", HEADERS, b"body")
    return exchanges


def all_of(exchanges: Exchanges, *parts: bytes) -> list[Came]:
    return [came for part in parts for came in exchanges.receive(part)]


def test_what_is_sent() -> None:
    sent = Exchanges().request("PUT", "/a/b?c=d", HEADERS, b"body")
    assert sent == b"PUT /a/b?c=d HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nbody"


@pytest.mark.parametrize("headers", [[("Host", "a"), ("x", "a\r\nb: c")], [("Host", "a"), ("a b", "c")], [("x", "y")]])
def test_what_no_request_can_say_is_refused(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(ValueError, match="a request can't be made"):
        Exchanges().request("GET", "/", headers, b"")


WHOLE = (
    b"HTTP/1.1 100 Continue\r\n\r\n"
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
)


@given(st.lists(st.integers(1, len(WHOLE) - 1)))
def test_how_bytes_are_cut_never_matters(cuts: list[int]) -> None:
    edges = [0, *sorted(set(cuts)), len(WHOLE)]
    exchanges = asked()
    came = all_of(exchanges, *(WHOLE[start:end] for start, end in pairwise(edges)))
    assert isinstance(came[0], Head)
    assert (came[0].status, came[0].reason, came[0].header("retry-after")) == (429, "Too Many Requests", "3")
    assert b"".join(each for each in came if isinstance(each, bytes)) == b"abcde"
    assert came[-1] is END
    assert exchanges.reusable
    exchanges.request("GET", "/", HEADERS[:1], b"")
    assert not exchanges.heard


@pytest.mark.parametrize(
    ("answer", "reusable"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", False),
    ],
)
def test_whether_a_connection_may_be_kept(answer: bytes, reusable: bool) -> None:
    exchanges = asked()
    assert all_of(exchanges, answer)[-1] is END
    assert exchanges.reusable == reusable


def test_a_body_that_ends_with_the_connection() -> None:
    exchanges = asked()
    came = all_of(exchanges, b"HTTP/1.1 200 OK\r\n\r\nabc", b"def", b"")
    assert came[1:] == [b"abc", b"def", END]
    assert not exchanges.reusable


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([b"\x15\x03\x03\x00\x02\x02\x28"], "answered what isn't HTTP"),
        ([b"SSH-2.0-x\r\n\r\n"], "answered what isn't HTTP"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", b""], "broke off its answer"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"], "answered what isn't HTTP"),
        ([b"HTTP/1.1 200 OK\r\nx: " + b"y" * HEAD_BYTES_MAX], "answered what isn't HTTP"),
        ([b""], "closed the connection without an answer"),
        ([b"HTTP/1.1 20", b""], "broke off its answer"),
    ],
)
def test_what_no_service_may_answer(parts: list[bytes], said: str) -> None:
    with pytest.raises(PeerError, match=said):
        all_of(asked(), *parts)


@pytest.mark.parametrize(
    ("text", "shown", "authority", "target"),
    [
        ("http://a.example", "http://a.example/", "a.example", "/"),
        (
            "https://u:p%40@a.example:8443/x/%7By?key=s",
            "https://a.example:8443/x/%7By",
            "a.example:8443",
            "/x/%7By?key=s",
        ),
        ("http://[::1]:80/{topic}", "http://[::1]/{topic}", "[::1]", "/{topic}"),
        ("http://a.example?x=1", "http://a.example/", "a.example", "/?x=1"),
    ],
)
def test_uris(text: str, shown: str, authority: str, target: str) -> None:
    uri = parse_http_uri(text)
    assert (uri.shown, uri.authority, uri.target) == (shown, authority, target)
    assert (uri.tls is not None) == text.startswith("https")


def test_who_logs_in() -> None:
    uri = parse_http_uri("https://u:p%40@a.example")
    assert (uri.user, uri.password) == ("u", "p@")
    assert "p@" not in repr(uri)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("amqp://a", "begins with http:// or https://"),
        ("http:///x", "has no host"),
        ("http://a:b/", "can't be read"),
        ("http://a/#x", "has a fragment"),
        ("http://a/ä", "must be percent-encoded"),
        ("http://a/b c", "must be percent-encoded"),
    ],
)
def test_uris_that_cant_be_used(text: str, said: str) -> None:
    with pytest.raises(PreconditionFailed, match=said):
        parse_http_uri(text)
