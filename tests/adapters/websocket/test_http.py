"""The HTTP side: the page's files, refusals in words, keep-alive, limits, and time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.adapters.websocket.conftest import Connect
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.first_bytes import TLS_REFUSED
from warren.adapters.websocket.http_stage import BODY_BYTES_MAX, HEAD_BYTES_MAX, KEPT_MS
from warren.adapters.websocket.page_files import FOLDER, read_page

GET = "GET / HTTP/1.1\nHost: broker"


def request(path: str, *lines: str, method: str = "GET") -> str:
    return "\n".join([f"{method} {path} HTTP/1.1", "Host: broker", *lines])


def test_the_page(connect: Connect, cut: str) -> None:
    answer = connect().request(GET, cut)
    assert answer.status == 200
    assert answer.body == (FOLDER / "index.html").read_bytes()
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["date"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", [path for path in read_page() if path != "/"])
def test_every_file_of_the_page(connect: Connect, path: str) -> None:
    answer = connect().request(request(path))
    assert (answer.status, answer.body) == (200, (FOLDER / path[1:]).read_bytes())
    if path.endswith(".js"):
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"


def test_every_file_in_the_folder_is_served() -> None:
    files = {f"/{path.relative_to(FOLDER).as_posix()}" for path in FOLDER.rglob("*") if path.is_file()}
    assert files | {"/"} == set(read_page())


def test_files_by_type_from_any_folder(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.css").write_text("a {}")
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "notes.bak").write_text("not served")
    assert set(read_page(tmp_path)) == {"/", "/index.html", "/deep/a.css"}


def test_a_browser_that_has_the_file_is_told_so(connect: Connect) -> None:
    client = connect()
    etag = client.request(GET).headers["etag"]
    for given in (etag, f'"other", W/{etag}', "*"):
        answer = client.request(request("/", f"If-None-Match: {given}"))
        assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", etag)
    assert client.request(request("/", 'If-None-Match: "other"')).status == 200


def test_head_is_get_without_the_body(connect: Connect) -> None:
    client = connect()
    size = len(client.request(GET).body)
    answer = client.request(request("/", method="HEAD"))
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", str(size))


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/../adapter.py",
        "/%2e%2e/adapter.py",
        "/..%2fadapter.py",
        "//etc/passwd",
        "/index.html/../../adapter.py",
        "/./index.html",
        "/index.html%00",
        "/page",
        "http://broker/nothing",
        "ftp://broker/",
        "*",
    ],
)
def test_nothing_else_is_there(connect: Connect, path: str) -> None:
    answer = connect().request(request(path))
    assert answer.status == 404
    assert "The page is at /" in answer.text


@pytest.mark.parametrize(("target", "status"), [("http://broker", 200), ("HTTPS://a:1/?x", 200), ("http://a/ws", 426)])
def test_a_whole_url_may_be_asked_for(connect: Connect, target: str, status: int) -> None:
    assert connect().request(request(target)).status == status


def test_other_upgrades_are_not_made(connect: Connect) -> None:
    client = connect()
    for _ in range(2):
        assert client.request(request("/", "Upgrade: h2c", "Connection: Upgrade")).status == 200
    assert not client.closed


@pytest.mark.parametrize("path", ["/ws", "/ws/", "/mqtt", "/stomp", "/ws/amqp", "/ws?x=1"])
def test_an_endpoint_says_what_it_is_for(connect: Connect, path: str) -> None:
    answer = connect().request(request(path))
    assert answer.status == 426
    assert answer.headers["upgrade"] == "websocket"
    assert "WebSocket endpoint" in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW"])
@pytest.mark.parametrize("path", ["/", "/ws"])
def test_other_methods(connect: Connect, method: str, path: str, caplog: pytest.LogCaptureFixture) -> None:
    answer = connect().request(request(path, method=method))
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    assert f"127.0.0.1:40000 -> 127.0.0.1:15674: HTTP 405 to {method} {path}" in caplog.text


def test_one_connection_takes_many_requests(connect: Connect, cut: str) -> None:
    client = connect()
    for _ in range(3):
        assert client.request(GET, cut).status == 200
        assert client.request(request("/nothing"), cut).status == 404
    assert not client.closed


def test_pipelined_requests_are_answered_in_order(connect: Connect, cut: str) -> None:
    client = connect()
    paths = ["/", "/nothing", "/ws", "/index.html"]
    client.send("".join(request(path) + "\n\n" for path in paths).replace("\n", "\r\n").encode(), cut)
    assert [answer.status for answer in client.answers()] == [200, 404, 426, 200]


def test_connection_close_is_obeyed(connect: Connect) -> None:
    client = connect()
    assert client.request(request("/", "Connection: close")).headers["connection"] == "close"
    assert client.closed


def test_http_1_0_gets_one_answer(connect: Connect) -> None:
    client = connect()
    answer = client.request("GET / HTTP/1.0")
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert client.closed


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("GET / HTTP/1.1", "Host"),
        ("GET /", "This port speaks HTTP"),
        ("PRI * HTTP/2.0\n\nSM", "This port speaks HTTP/1.1"),
        ("hello", "This port speaks HTTP"),
        ("GET / HTTP/1.1\nHost: a\nHost: b", "Host"),
        ("GET / HTTP/1.1\nHost: a\nContent-Length: x", "Content-Length"),
        ("GET / HTTP/1.1\nHost: a\nContent-Length: 1\nContent-Length: 2", "Content-Length"),
        ("GET / HTTP/1.1\nHost: a\nTransfer-Encoding: gzip", "Transfer-Encoding"),
        ("POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nContent-Length: 4", "said twice"),
        ("GET / HTTP/1.1\nHost: a\nUpgrade: websocket\nTransfer-Encoding: chunked\nContent-Length: 4", "said twice"),
        ("GET / HTTP/1.1\nHost : a", "This port speaks HTTP"),
        ("GET / HTTP/1.1\nHost: a\n folded\x00", "This port speaks HTTP"),
        ("GET /\xe9 HTTP/1.1\nHost: a", "This port speaks HTTP"),
    ],
)
def test_what_is_no_http(connect: Connect, head: str, words: str, cut: str, caplog: pytest.LogCaptureFixture) -> None:
    client = connect()
    answer = client.request(head, cut)
    assert answer.status in (400, 501, 505)
    assert words in answer.text
    assert answer.headers["connection"] == "close"
    assert client.closed
    assert f"127.0.0.1:40000 -> 127.0.0.1:15674: HTTP {answer.status}" in caplog.text


def test_a_tls_handshake_is_refused_with_an_alert(connect: Connect, cut: str, caplog: pytest.LogCaptureFixture) -> None:
    client = connect()
    client.send(bytes.fromhex("16030100c8010000c40303") + bytes(100), cut)
    assert client.closed
    assert client.transport.take() == TLS_REFUSED
    assert "a TLS handshake, but this listener has no TLS" in caplog.text


@pytest.mark.parametrize("cut", ["whole", "1"])
def test_headers_are_bounded(connect: Connect, cut: str) -> None:
    client = connect()
    answer = client.request(request("/", "X-Long: " + "x" * HEAD_BYTES_MAX), cut)
    assert (answer.status, answer.headers["connection"]) == (431, "close")
    assert client.closed


def test_headers_that_never_end_are_bounded(connect: Connect) -> None:
    client = connect()
    client.send(b"GET / HTTP/1.1\r\n")
    for _ in range(20):
        client.send(b"X: " + b"y" * 1000 + b"\r\n")
    assert [answer.status for answer in client.answers()] == [431]
    assert client.closed


def test_a_body_is_thrown_away(connect: Connect, cut: str) -> None:
    client = connect()
    client.send(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + GET.replace("\n", "\r\n").encode(), cut
    )
    assert [answer.status for answer in client.answers("POST")] == [405]
    client.send(b"\r\n\r\n")
    assert [answer.status for answer in client.answers()] == [200]


def test_chunks_too(connect: Connect, cut: str) -> None:
    client = connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", cut)
    assert [answer.status for answer in client.answers("POST")] == [405]
    assert client.request(GET).status == 200


def test_a_body_is_bounded(connect: Connect) -> None:
    client = connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
    for _ in range(3):
        client.send(bytes(BODY_BYTES_MAX // 2))
    assert [answer.status for answer in client.answers("POST")] == [413]
    assert client.closed


@pytest.mark.parametrize(("method", "status"), [("POST", 405), ("GET", 413)])
def test_a_body_that_waits_for_permission_gets_none(connect: Connect, method: str, status: int) -> None:
    client = connect()
    answer = client.request(request("/", "Content-Length: 5", "Expect: 100-continue", method=method))
    assert (answer.status, answer.headers["connection"]) == (status, "close")
    assert client.closed


def test_answers_that_are_not_read_hold_up_further_requests(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.transport.socket_room = 0
    for _ in range(40):
        client.send((GET.replace("\n", "\r\n") + "\r\n\r\n").encode() * 200)
        if client.transport.paused:
            break
    assert client.transport.paused
    assert client.transport.unsent_bytes < 1024 * 1024
    asked = 200
    count = 0
    while count < asked:
        client.transport.read_by_peer(100_000)
        simulated.settle()
        count += client.transport.take().count(b"HTTP/1.1 200")
    assert count == asked
    assert not client.transport.paused


def test_who_never_reads_is_cut_off(
    connect: Connect, simulated: SimulatedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect()
    client.transport.socket_room = 0
    client.send((GET.replace("\n", "\r\n") + "\r\n\r\n").encode() * 200)
    simulated.advance(10_000)
    assert client.transport.aborted
    assert "the peer doesn't read what it asked for" in caplog.text


# Time


def test_a_request_that_takes_too_long(
    connect: Connect, simulated: SimulatedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect()
    for byte in b"GET / HTTP":
        client.send(bytes((byte,)))
        simulated.advance(999)
    assert not client.closed
    simulated.advance(10)
    (answer,) = client.answers()
    assert (answer.status, answer.headers["connection"]) == (408, "close")
    assert client.closed
    assert "HTTP 408" in caplog.text


def test_a_second_request_has_as_long_as_the_first(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    assert client.request(GET).status == 200
    simulated.advance(KEPT_MS - 1)
    client.send(b"GET / HTTP/1.1\r\n")
    simulated.advance(9_999)
    assert not client.closed
    simulated.advance(1)
    assert [answer.status for answer in client.answers()] == [408]
    assert client.closed


def test_a_body_has_to_come_in_time_too(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel")
    simulated.advance(10_000)
    assert [answer.status for answer in client.answers("POST")] == [408]
    assert client.closed


def test_a_connection_without_a_request_is_closed(connect: Connect, simulated: SimulatedBroker) -> None:
    silent, used = connect(), connect()
    used.request(GET)
    simulated.advance(10_000)
    assert (silent.closed, silent.transport.take()) == (True, b"")
    simulated.advance(KEPT_MS - 10_001)
    assert not used.closed
    simulated.advance(1)
    assert (used.closed, used.transport.take()) == (True, b"")


def test_shutdown_closes(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.transport.session.shut_down("the broker stops")
    simulated.settle()
    assert client.closed
