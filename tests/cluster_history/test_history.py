"""The checker of histories: it sees what may not be, and its proxies cut."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.cluster_history.ledger import Ledger, Published
from tests.cluster_history.proxies import LOOPBACK, Proxy

WAIT_S = 60.0


def published(ledger: Ledger, count: int) -> list[Published]:
    found = [ledger.publishes("p", "q") for _ in range(count)]
    for message in found:
        ledger.confirms(message)
    return found


def test_a_good_history() -> None:
    ledger = Ledger()
    one, two = published(ledger, 2)
    ledger.publishes("p", "q")
    ledger.delivers("q", one.body, redelivered=False)
    ledger.delivers("q", two.body, redelivered=False)
    ledger.delivers("q", one.body, redelivered=True)
    assert (ledger.faults(), ledger.missing_count) == ([], 0)


def test_what_was_confirmed_and_does_not_come() -> None:
    ledger = Ledger()
    one, two = published(ledger, 2)
    ledger.delivers("q", two.body, redelivered=False)
    assert ledger.missing_count == 1
    assert ledger.faults() == [f"confirmed, and never delivered: {one.body}"]


def test_what_comes_as_new_twice() -> None:
    ledger = Ledger()
    (one,) = published(ledger, 1)
    for _ in range(2):
        ledger.delivers("q", one.body, redelivered=False)
    assert ledger.faults() == [f"delivered as new twice: {one.body}"]


def test_what_comes_out_of_order() -> None:
    ledger = Ledger()
    one, two = published(ledger, 2)
    for message in (two, one):
        ledger.delivers("q", message.body, redelivered=False)
    assert ledger.faults() == [f"delivered as new behind number 2: {one.body}"]


def test_what_was_not_confirmed_may_come_late() -> None:
    """A node that was away may have held it, or a connection."""
    ledger = Ledger()
    late = ledger.publishes("p", "q")
    (two,) = published(ledger, 1)
    for message in (two, late):
        ledger.delivers("q", message.body, redelivered=False)
    assert ledger.faults() == []


def test_what_nobody_has_published_or_comes_from_elsewhere() -> None:
    ledger = Ledger()
    (one,) = published(ledger, 1)
    ledger.delivers("other", one.body, redelivered=False)
    ledger.delivers("q", "p q 7", redelivered=False)
    assert ledger.faults() == ["delivered from other: p q 1", "delivered, and never published: p q 7"]


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of who gives back what it is sent, with whatever follows."""
    listener = socket.create_server((LOOPBACK, 0))

    def answer(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(100):
                connection.sendall(data)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_a_proxy_cuts_one_pair_and_mends_it(echo: int) -> None:
    proxy = Proxy(echo, lambda begun: begun[:1].decode())
    try:
        with (
            socket.create_connection((LOOPBACK, proxy.port), WAIT_S) as one,
            socket.create_connection((LOOPBACK, proxy.port), WAIT_S) as two,
        ):
            for each, said in ((one, b"a"), (two, b"b")):
                each.sendall(said)
                assert each.recv(1) == said
            proxy.cut("a")
            assert one.recv(1) == b""
            two.sendall(b"!")
            assert two.recv(1) == b"!"
        proxy.mend("a")
        with socket.create_connection((LOOPBACK, proxy.port), WAIT_S) as one:
            one.sendall(b"a")
            assert one.recv(1) == b"a"
            # What is said while it hangs is lost, and the connection with it.
            proxy.cut("a", hangs=True)
            one.sendall(b"?")
            proxy.mend("a")
            assert one.recv(1) == b""
    finally:
        proxy.end()


def test_a_connection_that_something_was_dropped_from_carries_nothing_more(echo: int) -> None:
    """Else a node would take the second message for the first, and confirm what it hasn't got."""
    proxy = Proxy(echo, lambda begun: begun[:1].decode())
    try:
        with socket.create_connection((LOOPBACK, proxy.port), WAIT_S) as one:
            one.sendall(b"a")
            assert one.recv(1) == b"a"
            proxy.cut("a", hangs=True)
            one.sendall(b"?")
            # As `mend` does it before it has closed what hung.
            with proxy._lock:
                proxy._cut.clear()
            one.sendall(b"!")
            found = b""
            while found != b"?!" and (data := one.recv(2)):
                found += data
            assert found in (b"", b"?!")
    finally:
        proxy.end()
