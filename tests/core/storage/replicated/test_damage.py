"""A log here, a mark or a stream that isn't what it was: rebuilt, or refused in words, and never taken for sound."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.core.storage import support
from tests.core.storage.replicated.nodes import Node
from tests.core.storage.replicated.streams import Servers
from warren.core.errors import StoreUnavailable
from warren.core.storage.disk.records import decode_segment_header
from warren.core.storage.replicated import takeover
from warren.core.storage.replicated.errors import StreamDiverged
from warren.core.storage.replicated.flush import ReplicatedFlush


def test_a_log_that_is_damaged_here_is_rebuilt(new: Callable[..., Node]) -> None:
    one = new("one")
    one.start()
    one.append(b"aaaaaaaa", b"bbbbbbbb", b"cccccccc")
    one.flush()
    one.append(b"dddddddd")
    one.flush()
    one.stop()
    (path,) = support.segment_files(one.directory)
    support.flip_byte(path, path.read_bytes().index(b"bbbbbbbb"))
    assert one.start() == {1: [b"aaaaaaaa", b"bbbbbbbb", b"cccccccc", b"dddddddd"]}
    assert "rebuilt from the shard's stream" in one.running().damage()[-1]


def test_damage_that_is_found_while_it_is_used_loses_nothing(new: Callable[..., Node]) -> None:
    one = new("one")
    one.start()
    one.append(b"aaaaaaaa", b"bbbbbbbb")
    one.flush()
    one.stop()
    one.start()
    engine = one.running()
    told: list[str] = []
    engine.damaged = told.append
    (path,) = support.segment_files(one.directory)
    support.flip_byte(path, path.read_bytes().index(b"bbbbbbbb"))
    positions = [message.position for message in one.messages[1]]
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="it is rebuilt from the shard's stream"):
            engine.read(positions)
    assert len(told) == 1
    assert engine.damage() == told
    # What is written until the shard is taken over anew is no reason to believe what is here.
    one.append(b"cccccccc")
    one.flush()
    one.stop()
    assert one.start() == {1: [b"aaaaaaaa", b"bbbbbbbb", b"cccccccc"]}
    assert one.running().damage() == []


def test_damage_that_is_found_by_tidying_up_loses_nothing(new: Callable[..., Node]) -> None:
    one = new("one", segment_bytes_max=512)
    one.start()
    one.append(b"goes", b"goes", queue_id=2)
    one.append(b"stays here")
    one.flush()
    for number in range(20):
        one.append(b"%d" % number, queue_id=2)
    one.flush()
    one.settle(21, queue_id=2)
    one.flush()
    one.append(b"later" * 100)
    one.flush()
    told: list[str] = []
    one.running().damaged = told.append
    first = support.segment_files(one.directory)[0]
    support.flip_byte(first, first.read_bytes().index(b"stays here"))
    assert one.maintain()
    assert len(told) == 1
    one.stop()
    assert one.start() == {1: [b"stays here", b"later" * 100], 2: [b"19"]}


def test_a_mark_that_is_damaged_costs_a_rebuilding(new: Callable[..., Node]) -> None:
    one = new("one")
    one.start()
    one.append(b"a")
    one.flush()
    one.stop()
    (one.directory / "messages" / "replicated").write_bytes(b"x" * 600)
    assert one.start() == {1: [b"a"]}


def test_an_older_mark_is_as_good(new: Callable[..., Node]) -> None:
    one = new("one", segment_bytes_max=512)
    one.start()
    one.append(b"a")
    one.flush()
    mark = (one.directory / "messages" / "replicated").read_bytes()
    for number in range(40):
        one.append(b"%d" % number)
        one.flush()
    one.settle(30)
    one.flush()
    one.maintain()
    one.stop()
    (one.directory / "messages" / "replicated").write_bytes(mark)
    assert one.start() == {1: [b"%d" % number for number in range(29, 40)]}


def test_a_segment_that_was_begun_here_alone_goes(new: Callable[..., Node]) -> None:
    one = new("one", segment_bytes_max=512)
    one.start()
    one.append(*[b"%d" % number for number in range(20)])
    one.flush()
    one.append(b"never confirmed")
    flush = one.running().begin_flush()
    assert isinstance(flush, ReplicatedFlush)
    flush.local.write()
    assert len(support.segment_files(one.directory)) == 2
    one.stop()
    assert one.start() == {1: [b"%d" % number for number in range(20)]}
    assert len(support.segment_files(one.directory)) == 1


def test_a_segment_that_was_compacted_is_not_cut(new: Callable[..., Node]) -> None:
    one = new("one", segment_bytes_max=512)
    one.start()
    one.append(b"goes", b"goes", queue_id=2)
    one.append(b"stays")
    one.flush()
    mark = (one.directory / "messages" / "replicated").read_bytes()
    for number in range(20):
        one.append(b"%d" % number, queue_id=2)
    one.flush()
    one.settle(21, queue_id=2)
    one.flush()
    one.append(b"later" * 100)
    one.flush()
    assert one.maintain()
    one.stop()
    first = support.segment_files(one.directory)[0]
    assert decode_segment_header(first.read_bytes())[2], "it wasn't compacted"
    with open(first, "ab") as file:
        # As long as it was, so that its length doesn't tell.
        file.truncate(4096)
    (one.directory / "messages" / "replicated").write_bytes(mark)
    assert one.start() == {1: [b"stays", b"later" * 100], 2: [b"19"]}
    assert one.running().damage() == []


def test_messages_that_were_never_in_a_cluster_are_left_alone(new: Callable[..., Node], tmp_path: Path) -> None:
    alone = support.open_disk(tmp_path / "one")
    list(alone.recover())
    support.store(alone, [b"mine"])
    alone.close()
    with pytest.raises(StreamDiverged, match="never in a cluster"):
        new("one").start()
    assert support.reopened_bodies(tmp_path / "one") == {1: [b"mine"]}


def test_a_stream_that_has_lost_what_was_confirmed_is_refused(new: Callable[..., Node], servers: Servers) -> None:
    one = new("one")
    one.start()
    one.append(b"a")
    one.flush()
    one.stop()
    del servers.frames[servers.last]
    servers.last -= 1
    with pytest.raises(StreamDiverged, match="have lost what they had confirmed"):
        one.start()
    assert len(one.stream.troubles) == takeover.BEHIND_MAX - 1


def test_a_stream_that_ends_before_what_it_once_had_is_refused_by_any_node(
    new: Callable[..., Node], servers: Servers
) -> None:
    one = new("one")
    one.start()
    one.append(b"a")
    one.flush()
    known = servers.last
    assert one.running().claimed == known - 1
    one.stop()
    del servers.frames[servers.last]
    servers.last -= 1
    with pytest.raises(StreamDiverged, match="have lost what they had confirmed"):
        new("two", least=known).start()
    assert new("three", least=known - 1).start() == {}


def test_another_stream_of_the_same_name_is_refused(new: Callable[..., Node], servers: Servers) -> None:
    one, two = new("one"), new("two")
    one.start()
    one.append(b"a")
    one.flush()
    one.stop()
    servers.frames.clear()
    servers.last = 0
    two.start()
    two.append(b"other")
    two.flush()
    with pytest.raises(StreamDiverged, match="isn't the one that was confirmed"):
        one.start()


def test_a_stream_that_is_damaged_is_refused(new: Callable[..., Node], servers: Servers) -> None:
    one = new("one")
    one.start()
    one.append(b"aaaa")
    one.flush()
    whole = dict(servers.frames)
    for sequence, wrong in [(2, whole[2].replace(b"aaaa", b"aaab")), (1, b"hello"), (2, whole[1])]:
        servers.frames = {**whole, sequence: wrong}
        with pytest.raises(StreamDiverged, match="message"):
            new(f"two-{sequence}-{len(wrong)}").start()
