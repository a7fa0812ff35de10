"""The ends of the load over AMQP 1.0, against a Warren: everything is counted, and what is wrong is found."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import cast

import pytest

from tests.benchmarks import wire10
from tests.benchmarks.amqp10 import Amqp10Client, Amqp10Consumer, Amqp10Publisher, uints_of, whole_bytes
from tests.benchmarks.client import LoadError
from tests.benchmarks.job import Job
from tests.benchmarks.load import run
from tests.support.warren_process import WarrenProcess, warren_process


@pytest.fixture(scope="module")
def broker() -> Iterator[WarrenProcess]:
    with warren_process(in_memory=True) as process:
        yield process


@pytest.mark.parametrize("window", [0, 1000])
def test_a_load_runs_to_its_end(broker: WarrenProcess, window: int) -> None:
    job = Job(broker.amqp_port, broker.process.pid, 5_000, protocol="amqp10", confirm_window=window)
    assert run(job).deliveries == 5_000


class _Ends:
    """What stands for a client that has attached."""

    def __init__(self) -> None:
        self.socket, self.peer = socket.socketpair()
        self.unread = b""


@pytest.fixture
def ends() -> Iterator[_Ends]:
    made = _Ends()
    yield made
    made.socket.close()
    made.peer.close()


def flow(window: int, credit: int) -> bytes:
    fields = [wire10.uint(wire10.WIDE), wire10.uint(window), wire10.uint(0), wire10.uint(0)]
    return wire10.frame(wire10.described(wire10.FLOW, *fields, wire10.short(0), wire10.uint(0), wire10.uint(credit)))


@pytest.mark.parametrize(("window", "credit", "sent"), [(5, 9, 5), (9, 4, 4), (9, 9, 9)])
def test_the_publisher_keeps_to_window_and_credit(ends: _Ends, window: int, credit: int, sent: int) -> None:
    ends.unread = flow(window, credit)
    publisher = Amqp10Publisher(cast("Amqp10Client", ends), 50, 0)
    assert not publisher.pump()
    data = ends.peer.recv(100_000)
    expected = [
        wire10.transfer(0, wire10.WIDE + at, wire10.data(at.to_bytes(8, "big") + b"x" * 8), settled=True)
        for at in range(sent)
    ]
    assert data == b"".join(expected)


def test_the_publisher_finds_what_wasnt_accepted(ends: _Ends) -> None:
    publisher = Amqp10Publisher(cast("Amqp10Client", ends), 50, 10)
    ends.peer.sendall(wire10.disposition(wire10.WIDE).replace(b"\x00\x53\x24", b"\x00\x53\x26"))
    with pytest.raises(LoadError, match="wasn't accepted"):
        publisher.read()


@pytest.mark.parametrize("order", [(0, 2), (1, 0), (0, 0)])
def test_the_consumer_finds_wrong_deliveries(ends: _Ends, order: tuple[int, ...]) -> None:
    consumer = Amqp10Consumer(cast("Amqp10Client", ends), 3, settled=True)
    bodies = [each.to_bytes(8, "big") + b"x" * 8 for each in order]
    ends.peer.sendall(
        b"".join([wire10.transfer(0, at, wire10.data(body), settled=True) for at, body in enumerate(bodies)])
    )
    with pytest.raises(LoadError, match="not the next messages"):
        consumer.read()


def test_the_consumer_settles_each(ends: _Ends) -> None:
    consumer = Amqp10Consumer(cast("Amqp10Client", ends), 3, settled=False)
    consumer.pump()
    given = ends.peer.recv(1000)
    assert uints_of(given[8:])[6] == 2000
    rows = [wire10.transfer(0, 7 + at, wire10.data(at.to_bytes(8, "big") + b"x" * 8), settled=False) for at in range(3)]
    ends.peer.sendall(b"".join(rows))
    consumer.read()
    consumer.pump()
    assert ends.peer.recv(1000) == b"".join([wire10.disposition(7 + at) for at in range(3)])
    assert consumer.done


def test_frames_are_counted_as_far_as_they_are_whole() -> None:
    data = flow(1, 1)
    assert [whole_bytes((data * 2)[:cut]) for cut in (7, len(data), len(data) + 7, 2 * len(data))] == [
        0,
        len(data),
        len(data),
        2 * len(data),
    ]
