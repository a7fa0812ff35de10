"""The engine of a shard: what was confirmed is with whoever owns the shard next, whatever was lost on the way."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.core.storage import support
from tests.core.storage.replicated.nodes import Node
from tests.core.storage.replicated.streams import MemoryStream, Servers
from warren.core.errors import StorageError
from warren.core.storage.replicated.engine import ReplicatedEngine
from warren.core.storage.replicated.errors import OwnershipLost
from warren.core.storage.replicated.frames import CLAIM, LOG, decode_frame


def kinds(servers: Servers) -> list[int]:
    return [decode_frame(frame, sequence).kind for sequence, frame in sorted(servers.frames.items())]


def test_a_flush_is_one_message_of_the_stream(new: Callable[..., Node], servers: Servers) -> None:
    one = new("one")
    assert one.start() == {}
    one.append(b"a", b"b")
    one.flush()
    one.append(b"c")
    one.settle(1)
    one.flush()
    one.flush()
    assert kinds(servers) == [CLAIM, LOG, LOG]


def test_another_node_finds_what_was_confirmed(new: Callable[..., Node]) -> None:
    one, two = new("one"), new("two")
    one.start()
    one.append(b"a", b"b", b"c")
    one.append(b"x", queue_id=2)
    one.flush()
    one.settle(1)
    one.flush()
    one.append(b"never confirmed")
    one.stop()
    assert two.start() == {1: [b"b", b"c"], 2: [b"x"]}
    assert support.segment_files(two.directory)[0].read_bytes() == support.segment_files(one.directory)[0].read_bytes()
    two.append(b"d")
    two.flush()
    two.stop()
    assert one.start() == {1: [b"b", b"c", b"d"], 2: [b"x"]}
    assert two.start() == {1: [b"b", b"c", b"d"], 2: [b"x"]}


def test_who_comes_back_first_goes_on_without_reading_all_again(new: Callable[..., Node], servers: Servers) -> None:
    one = new("one")
    one.start()
    for number in range(20):
        one.append(b"%d" % number)
        one.flush()
    one.stop()
    kept = dict(servers.frames)
    servers.frames = {sequence: frame for sequence, frame in kept.items() if sequence >= 20}
    assert one.start() == {1: [b"%d" % number for number in range(20)]}
    assert one.running().damage() == []


def test_a_stale_owner_is_refused_and_knows_it(new: Callable[..., Node]) -> None:
    one, two = new("one"), new("two")
    one.start()
    one.append(b"a")
    one.flush()
    two.start()
    one.append(b"late")
    flush = one.running().begin_flush()
    assert flush is not None
    with pytest.raises(OwnershipLost, match="another node"):
        flush.write()
    assert "another node" in one.running().lost
    with pytest.raises(OwnershipLost):
        one.running().begin_flush()
    two.append(b"b")
    two.flush()
    assert two.running().lost == ""
    two.stop()
    one.stop()
    # What was refused is on the disk of the one that was refused, and goes.
    assert one.start() == {1: [b"a", b"b"]}


def test_a_stale_owner_finds_out_too_where_its_place_was_purged(new: Callable[..., Node], servers: Servers) -> None:
    one, two = new("one"), new("two")
    one.start()
    two.start()
    two.append(b"b")
    two.flush()
    two.append(b"c")
    two.flush()
    MemoryStream(servers).purge(servers.last)
    one.append(b"late")
    with pytest.raises(OwnershipLost):
        one.flush()


@pytest.mark.parametrize("lost", ["lose_answers", "lose_requests"])
def test_what_is_lost_on_the_way_is_found_out(new: Callable[..., Node], servers: Servers, lost: str) -> None:
    one, two = new("one"), new("two")
    one.start()
    one.append(b"a")
    setattr(one.stream, lost, 3)
    one.flush()
    one.append(b"b")
    one.flush()
    assert kinds(servers) == [CLAIM, LOG, LOG]
    assert two.start() == {1: [b"a", b"b"]}


def test_a_request_that_is_lost_while_another_takes_over_is_refused(new: Callable[..., Node]) -> None:
    one, two = new("one"), new("two")
    one.start()
    one.append(b"late")
    one.stream.lose_requests = 1

    def taken_over() -> None:
        two.start()

    one.stream.on_wait = taken_over
    with pytest.raises(OwnershipLost):
        one.flush()
    assert two.found == {}


def test_while_the_stream_is_away_a_flush_waits(new: Callable[..., Node]) -> None:
    one, two = new("one"), new("two")
    one.start()
    one.append(b"a")
    stream = one.stream
    stream.is_away = True

    def come_back() -> None:
        stream.is_away = len(stream.troubles) < 5

    stream.on_wait = come_back
    one.flush()
    assert "no server can be reached" in stream.troubles
    assert two.start() == {1: [b"a"]}


def test_a_flush_that_waits_is_ended_by_closing(new: Callable[..., Node]) -> None:
    one = new("one")
    one.start()
    one.append(b"a")
    one.stream.is_away = True
    one.stream.on_wait = one.stream.close
    with pytest.raises(StorageError, match="closed"):
        one.flush()


def test_a_takeover_waits_for_a_stream_that_is_away(tmp_path: Path, servers: Servers) -> None:
    stream = MemoryStream(servers)
    stream.is_away = True

    def come_back() -> None:
        stream.is_away = False

    stream.on_wait = come_back
    engine = ReplicatedEngine(tmp_path / "one", stream, MemoryStream(servers), owner="one", allocation_step=0)
    assert list(engine.recover()) == []
    engine.close()


def test_a_long_flush_is_several_messages(new: Callable[..., Node], servers: Servers) -> None:
    one, two = new("one", frame=1000), new("two")
    one.start()
    one.append(bytes(5000))
    one.flush()
    assert kinds(servers) == [CLAIM] + 6 * [LOG]
    assert two.start() == {1: [bytes(5000)]}


def test_a_long_flush_that_was_cut_off_is_cut_from_the_log(new: Callable[..., Node], servers: Servers) -> None:
    one, two, three = new("one", frame=1000), new("two"), new("three")
    one.start()
    one.append(b"a")
    one.flush()
    one.append(bytes(5000))
    one.flush()
    for _ in range(2):
        del servers.frames[servers.last]
        servers.last -= 1
    assert two.start() == {1: [b"a"]}
    two.append(b"b")
    two.flush()
    assert three.start() == {1: [b"a", b"b"]}
    three.append(b"c")
    three.flush()
    two.stop()
    assert two.start() == {1: [b"a", b"b", b"c"]}


def test_segments_that_are_dropped_go_from_the_stream(new: Callable[..., Node], servers: Servers) -> None:
    one, two = new("one", segment_bytes_max=512), new("two", segment_bytes_max=512)
    one.start()
    for number in range(60):
        one.append(b"%d" % number)
        one.flush()
    one.settle(50)
    one.flush()
    assert one.maintain()
    assert servers.first > 1
    left = [b"%d" % number for number in range(50, 60)]
    assert two.start() == {1: left}
    assert two.running().damage() == []
    two.stop()
    one.stop()
    assert one.start() == {1: left}


def test_a_message_that_stays_keeps_the_stream_and_nothing_comes_back(
    new: Callable[..., Node], servers: Servers
) -> None:
    one, two = new("one", segment_bytes_max=512), new("two", segment_bytes_max=512)
    one.start()
    one.append(b"stays")
    one.flush()
    for number in range(60):
        one.append(b"%d" % number, queue_id=2)
        one.flush()
        one.settle(1, queue_id=2)
        one.flush()
        one.maintain()
    assert servers.first == 1
    assert two.start() == {1: [b"stays"]}


def test_nothing_is_purged_while_the_first_segment_that_is_left_is_not_written(
    new: Callable[..., Node], servers: Servers
) -> None:
    one, two = new("one"), new("two")
    one.start()
    one.append(b"a")
    one.flush()
    one.settle(1)
    one.flush()
    one.append(b"next")
    # The segment is full, and all that is in it is done with.
    one.running()._segment_bytes_max = 1
    flush = one.running().begin_flush()
    assert flush is not None
    assert one.maintain()
    assert two.start() == {}
    with pytest.raises(OwnershipLost):
        flush.write()


def test_a_flush_is_tried_again_where_the_disk_was_full(
    new: Callable[..., Node], servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = new("one"), new("two")
    one.start()
    one.append(b"a")
    engine = one.running()
    flush = engine.begin_flush()
    assert flush is not None

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match="space"):
            flush.write()
    flush.write()
    engine.finish_flush(flush)
    assert kinds(servers) == [CLAIM, LOG]
    assert support.reopened_bodies(one.directory) == {1: [b"a"]}
    assert two.start() == {1: [b"a"]}
