"""SENDs with receipts that are published by heart: the same answers, messages and counts as one by one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.simulated_broker import SimulatedBroker
from tests.support.stomp_pair import LOGIN, StompPair
from warren.adapters.session.ration import COMMANDS_PER_TURN
from warren.adapters.stomp import frame_loop, known_sends
from warren.adapters.stomp.known_sends import RECEIPT_LINE

NEVER = re.compile(rb"(?!)")

QUEUE = b"destination:/queue/a\npersistent:true\n"

SENDS = [
    b"SEND\nreceipt:%d\n" + QUEUE + b"\n1\0",
    b"SEND\n" + QUEUE + b"receipt:%d\n\n2\0",
    b"SEND\nreceipt:%d\n" + QUEUE + b"content-length:3\n\n3\x003\0",
    b"SEND\nreceipt:r-%d_x.y\ndestination:/topic/nobody\n\n4\0",
    b"SEND\n" + QUEUE + b"\nno receipt %d\0",
    b"SEND\nreceipt:%d\nreceipt:second\n" + QUEUE + b"\n5\0",
    b"SEND\nreceipt:a\\c%d\n" + QUEUE + b"\n6\0",
    b"SEND\r\nreceipt:%d\r\n" + QUEUE.replace(b"\n", b"\r\n") + b"\r\n7\0",
    b"SEND\nreceipt:%d\n" + QUEUE + b"x-receipt:1\n\n8\0\n\n",
    b"SEND\nreceipt:%d\n" + QUEUE + b"priority:3\n\n9\0",
    b"SEND\nreceipt:%d\ndestination:/queue/transient\n\n10\0",
    b"ACK\nid:none\nreceipt:%d\n\n\0",
]
"""The number of each is put in; the receipt of some can't be taken out of the head."""


@dataclass
class Run:
    """What a session and its broker say after a dialogue."""

    answers: bytes
    bodies: list[bytes]
    counts: dict[str, int]


def dialogue(frames: list[bytes], *, cut: int, by_heart: bool, directory: Path | None = None) -> Run:
    with pytest.MonkeyPatch.context() as patched:
        for module in (frame_loop, known_sends):
            patched.setattr(module, "RECEIPT_LINE", RECEIPT_LINE if by_heart else NEVER)
        broker = SimulatedBroker(directory)
        pair = StompPair(broker, LOGIN).opened()
        data = b"".join(frames)
        answers = b""
        for start in range(0, len(data), cut):
            pair.transport.receive(data[start : start + cut])
            broker.settle()
            answers += pair.transport.take()
        found = broker.vhost.queues.get("a")
        bodies = [] if found is None else [message.body for message in found.browse(0, 10_000)]
        counts = pair.peer.logged_in.counts.own
        names = ("publish", "confirm", "drop_unroutable")
        run = Run(answers, bodies, {name: getattr(counts, name) for name in names})
        broker.close()
        return run


def numbered(kinds: list[int]) -> list[bytes]:
    return [SENDS[kind].replace(b"%d", b"%d" % number) for number, kind in enumerate(kinds)]


@given(st.lists(st.integers(0, len(SENDS) - 1), max_size=40), st.integers(1, 400))
def test_by_heart_is_as_one_by_one(kinds: list[int], cut: int) -> None:
    frames = numbered([each for kind in kinds for each in (kind, kind, kind)])
    assert dialogue(frames, cut=cut, by_heart=True) == dialogue(frames, cut=cut, by_heart=False)


@pytest.mark.parametrize("cut", [1, 7, 100, 100_000])
def test_on_disk_too(tmp_path: Path, cut: int) -> None:
    frames = numbered([kind for kind in range(len(SENDS)) for _ in range(4)])
    by_heart = dialogue(frames, cut=cut, by_heart=True, directory=tmp_path / "one")
    assert by_heart == dialogue(frames, cut=cut, by_heart=False, directory=tmp_path / "two")
    assert by_heart.counts["confirm"] == 4 * 10


def test_a_receipt_of_what_is_stored_waits_for_the_disk(tmp_path: Path) -> None:
    broker = SimulatedBroker(tmp_path)
    pair = StompPair(broker, LOGIN).opened()
    for number in range(3):
        pair.transport.receive(SENDS[0] % number)
    known = len(pair.peer.known.now())
    broker.settle()
    pair.transport.take()
    broker.commits_by_itself = False
    pair.transport.receive(SENDS[0] % 9)
    broker.settle()
    assert known == len(pair.peer.known.now()) == 1
    assert pair.transport.take() == b""
    broker.begin_commit()
    broker.finish_commit()
    broker.commits_by_itself = True
    broker.settle()
    assert pair.transport.take() == b"RECEIPT\nreceipt-id:9\n\n\0\n"
    broker.close()


def test_they_are_published_by_heart() -> None:
    """Else nothing here is tested."""
    broker = SimulatedBroker()
    pair = StompPair(broker, LOGIN).opened()
    pair.transport.receive(SENDS[0] % 0)
    before = pair.peer.parser
    with pytest.MonkeyPatch.context() as patched:

        def parsed(frame: object) -> None:
            raise AssertionError(frame)

        patched.setattr(type(pair.peer), "frame", lambda self, frame: parsed(frame))
        for number in range(1, 100):
            pair.transport.receive(SENDS[number % 2] % number)
    assert pair.peer.parser is before
    broker.settle()
    assert broker.vhost.queues["a"].ready_count == 100
    broker.close()


def test_as_many_as_the_ration_of_a_turn_are_answered_in_it() -> None:
    broker = SimulatedBroker()
    pair = StompPair(broker, LOGIN).opened()
    frames = [SENDS[0] % number for number in range(3 * COMMANDS_PER_TURN)]
    pair.transport.receive(b"".join(frames))
    assert broker.vhost.queues["a"].ready_count <= COMMANDS_PER_TURN
    pair.exchange()
    assert broker.vhost.queues["a"].ready_count == 3 * COMMANDS_PER_TURN
    broker.close()
