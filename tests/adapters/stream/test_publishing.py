"""Publishers, Publish and what is answered (spec H.2; I, "Publishing")."""

from __future__ import annotations

import gzip

import pytest

from tests.adapters.stream.conftest import Connect
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stream import StreamClient, batch, packed, publish, published, published_v2
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.commands import PublishConfirm, PublishError, PublishingError
from warren.adapters.stream.codec.encoding import encode
from warren.adapters.stream.codec.keys import Code, OffsetType
from warren.adapters.stream.codec.kinds import OffsetSpec
from warren.adapters.stream.settings import StreamProtocolSettings
from warren.core.declaring.queues import create_queue
from warren.core.queues.stream.queue import StreamQueue
from warren.core.streams.chunk import Batch, entries_of
from warren.core.streams.cursor import at_first


def stream(simulated: SimulatedBroker, name: str = "log") -> StreamQueue:
    queue = simulated.vhost.queues[name]
    assert isinstance(queue, StreamQueue)
    return queue


def stored(simulated: SimulatedBroker) -> list[bytes | Batch]:
    """The entries of the stream."""
    cursor = at_first(stream(simulated).log, lambda text: None)
    found: list[bytes | Batch] = []
    while (chunk := cursor.read()) is not None:
        found += [entry for _, entry in entries_of(chunk.head, chunk.data)]
    return found


def refused(code: Code, *ids: int) -> list[PublishError]:
    return [PublishError(1, [PublishingError(id, code) for id in ids])]


@pytest.mark.parametrize("bodies", [[b"a"], [b"abcd"] * 3, [b"x" * 16] * 200, [b"", b"a", b"bc" * 100], [b""] * 5])
def test_messages_are_stored_as_they_came_and_confirmed(
    client: StreamClient, simulated: SimulatedBroker, bodies: list[bytes]
) -> None:
    messages = [published(7 + 2 * number, body) for number, body in enumerate(bodies)]
    assert client.send(publish(1, *messages)) == [PublishConfirm(1, [7 + 2 * n for n in range(len(bodies))])]
    assert stored(simulated) == bodies
    counts = client.session.logged_in.counts.snapshot()
    assert counts["publish"] == counts["confirm"] == len(bodies)
    assert stream(simulated).message_counts["publish_bytes"] == sum(map(len, bodies))


@pytest.mark.parametrize("cut", ["byte by byte", "1", "2", "3"])
def test_how_bytes_are_cut_never_matters(client: StreamClient, simulated: SimulatedBroker, cut: str) -> None:
    frames = [publish(1, *[published(n, b"%d" % n) for n in range(k, k + 10)]) for k in range(0, 40, 10)]
    answers = client.send_bytes(b"".join(map(encode, frames)), cut)
    assert [id for answer in answers for id in answer.publishing_ids] == list(range(40))
    assert stored(simulated) == [b"%d" % n for n in range(40)]


def test_nothing_is_confirmed_before_it_is_on_disk(client: StreamClient, simulated: SimulatedBroker) -> None:
    simulated.commits_by_itself = False
    assert client.send(publish(1, published(1, b"a"))) == []
    simulated.begin_commit()
    assert client.send(publish(1, published(2, b"b"))) == []
    assert client.session.confirming.waiting == 2
    simulated.finish_commit()
    simulated.settle()
    assert client.answers() == [PublishConfirm(1, [1])]
    simulated.begin_commit()
    simulated.finish_commit()
    simulated.settle()
    assert client.answers() == [PublishConfirm(1, [2])]


def test_very_many_confirms_come_in_several_frames(client: StreamClient) -> None:
    messages = b"".join(published(n, b"") for n in range(20_000))
    answers = client.send(commands.Publish(1, 20_000, messages))
    assert [len(answer.publishing_ids) for answer in answers] == [8192, 8192, 3616]


def test_values_for_filters_come_with_version_2(client: StreamClient, simulated: SimulatedBroker) -> None:
    data = published_v2(1, b"red", b"a") + published_v2(2, None, b"b") + published_v2(3, b"", b"c")
    assert client.send(commands.PublishV2(1, 3, data)) == [PublishConfirm(1, [1, 2, 3])]
    assert stored(simulated) == [b"a", b"b", b"c"]
    cursor = at_first(stream(simulated).log, lambda text: None)
    assert cursor.read([b"green"], unfiltered=False) is None


def test_two_batches_of_three_are_six_messages(client: StreamClient, simulated: SimulatedBroker) -> None:
    inside = packed(b"a", b"bb", b"ccc")
    data = gzip.compress(inside)
    messages = [batch(id, 1, 3, len(inside), data) for id in (1, 2)]
    assert client.send(publish(1, *messages)) == [PublishConfirm(1, [1, 2])]
    assert stored(simulated) == [Batch(1, 3, len(inside), data)] * 2
    assert stream(simulated).log.end_offset == 6


@pytest.mark.parametrize("compression", [2, 3, 4])
def test_batches_of_other_kinds_pass_through(
    client: StreamClient, simulated: SimulatedBroker, compression: int
) -> None:
    assert client.send(publish(1, batch(1, compression, 2, 100, b"whatever"))) == [PublishConfirm(1, [1])]
    assert stored(simulated) == [Batch(compression, 2, 100, b"whatever")]


INSIDE = packed(b"a", b"b")
FAULTS = {
    "too large": batch(2, 1, 2, (64 << 20) + 1, b"x"),
    "no messages": batch(2, 0, 0, 0, b""),
    "more messages than bytes": batch(2, 4, 26, 100, b"x"),
    "unknown compression": batch(2, 5, 1, 100, b"x"),
    "empty": batch(2, 2, 1, 100, b""),
    "another size": batch(2, 0, 2, len(INSIDE) + 1, INSIDE),
    "other messages": batch(2, 0, 1, len(INSIDE), INSIDE),
    "no gzip": batch(2, 1, 2, len(INSIDE), INSIDE),
    "gzip that is cut off": batch(2, 1, 2, len(INSIDE), gzip.compress(INSIDE)[:-5]),
    "something behind the gzip": batch(2, 1, 2, len(INSIDE), gzip.compress(INSIDE) + b"x"),
    "a bomb": batch(2, 1, 1, 1000, gzip.compress(bytes(10_000_000))),
    "gzip of other messages": batch(2, 1, 2, len(INSIDE), gzip.compress(packed(b"a", b"bc")[:-1])),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_batch_that_nobody_could_read_ends_the_frame(
    client: StreamClient, simulated: SimulatedBroker, fault: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    answers = client.send(publish(1, published(1, b"a"), fault, published(3, b"c")))
    assert answers == [*refused(Code.PRECONDITION_FAILED, 2, 3), PublishConfirm(1, [1])]
    assert stored(simulated) == [b"a"]
    assert "2 of Publish refused: PRECONDITION_FAILED: a batch" in caplog.text
    assert not client.closed


def test_a_message_that_is_too_large(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect(StreamProtocolSettings(message_bytes_max=10))
    client.code(commands.Create, "log", {})
    client.code(commands.DeclarePublisher, 1, None, "log")
    answers = client.send(publish(1, published(1, b"a"), published(2, b"b" * 11)))
    assert answers == [*refused(Code.PRECONDITION_FAILED, 2), PublishConfirm(1, [1])]
    inside = packed(b"b" * 11)
    assert client.send(publish(1, batch(3, 0, 1, len(inside), inside))) == refused(Code.PRECONDITION_FAILED, 3)


@pytest.mark.parametrize("version", [1, 2])
def test_an_unknown_publisher(client: StreamClient, version: int) -> None:
    data = published(4, b"a") if version == 1 else published_v2(4, None, b"a")
    command = (commands.Publish if version == 1 else commands.PublishV2)(9, 1, data)
    assert client.send(command) == [PublishError(9, [PublishingError(4, Code.NO_PUBLISHER)])]


@pytest.mark.parametrize(
    "command",
    [
        commands.Publish(1, 2, published(1, b"a")),
        commands.Publish(1, 1, published(1, b"a") + b"x"),
        commands.Publish(1, 1, published(1, b"a")[:-1]),
        commands.Publish(1, 0xFFFF_FFFF, published(1, b"a")),
        commands.Publish(1, 1, batch(1, 0, 2, len(INSIDE), INSIDE)[:-1]),
        commands.PublishV2(1, 1, published_v2(1, b"value", b"")[:-9]),
        commands.PublishV2(1, 1, b""),
        commands.Publish(1, 0, b"x"),
    ],
)
def test_a_frame_that_holds_other_messages_than_it_says_ends_the_connection(
    client: StreamClient, simulated: SimulatedBroker, command: commands.Command
) -> None:
    (answer,) = client.send(command)
    assert answer.code == Code.UNKNOWN_FRAME
    assert client.closed
    assert stored(simulated) == []


def test_a_publish_of_nothing_is_nothing(client: StreamClient) -> None:
    assert client.send(commands.Publish(1, 0, b"")) == []
    assert not client.closed


def test_declaring_and_deleting_publishers(client: StreamClient) -> None:
    assert client.code(commands.DeclarePublisher, 1, None, "log") is Code.PRECONDITION_FAILED
    assert client.code(commands.DeclarePublisher, 2, "me", "log") is Code.OK
    assert client.code(commands.DeclarePublisher, 3, "me", "log") is Code.PRECONDITION_FAILED
    assert client.code(commands.DeclarePublisher, 3, "", "log") is Code.OK
    assert client.code(commands.DeclarePublisher, 4, "x" * 256, "log") is Code.PRECONDITION_FAILED
    assert client.code(commands.DeclarePublisher, 4, None, "nothing") is Code.NO_STREAM
    assert client.code(commands.DeletePublisher, 2) is Code.OK
    assert client.code(commands.DeletePublisher, 2) is Code.NO_PUBLISHER
    assert client.code(commands.DeclarePublisher, 3, "me", "log") is Code.PRECONDITION_FAILED
    assert client.code(commands.DeclarePublisher, 2, "me", "log") is Code.OK


def test_who_is_deleted_is_told_of_nothing_more(client: StreamClient, simulated: SimulatedBroker) -> None:
    simulated.commits_by_itself = False
    client.send(publish(1, published(1, b"a")))
    assert client.code(commands.DeletePublisher, 1) is Code.OK
    assert client.code(commands.DeclarePublisher, 1, None, "log") is Code.OK
    simulated.begin_commit()
    simulated.finish_commit()
    simulated.settle()
    assert client.answers() == []


def test_a_queue_of_another_type_is_no_stream(client: StreamClient, simulated: SimulatedBroker) -> None:
    create_queue(simulated.vhost, "classic")
    assert client.code(commands.DeclarePublisher, 2, None, "classic") is Code.NO_STREAM


def test_rights_are_asked_for_and_taken_away(simulated: SimulatedBroker, accept: Connect, client: StreamClient) -> None:
    users = simulated.broker.users
    users.add_user("alice", "secret")
    users.set_permissions("alice", "/", "", "log", "")
    alice = accept().connect("alice", "secret")
    assert alice.code(commands.DeclarePublisher, 1, None, "log") is Code.OK
    assert alice.code(commands.DeclarePublisher, 2, None, "other") is Code.ACCESS_REFUSED
    assert alice.send(publish(1, published(1, b"a"))) == [PublishConfirm(1, [1])]
    users.set_permissions("alice", "/", "", "nothing", "")
    assert alice.send(publish(1, published(2, b"a"))) == refused(Code.ACCESS_REFUSED, 2)


def test_a_stream_that_refuses_for_a_test(client: StreamClient, simulated: SimulatedBroker) -> None:
    queue = simulated.vhost.queues["log"]
    assert isinstance(queue, StreamQueue)
    assert client.send(publish(1, published(1, b"a"))) == [PublishConfirm(1, [1])]
    queue.refuses = True
    simulated.vhost.changed()
    assert client.send(publish(1, published(2, b"a"))) == refused(Code.PRECONDITION_FAILED, 2)
    assert client.send(publish(1, published(3, b"a"))) == refused(Code.PRECONDITION_FAILED, 3)
    queue.refuses = False
    simulated.vhost.changed()
    assert client.send(publish(1, published(2, b"a"))) == [PublishConfirm(1, [2])]
    assert len(stored(simulated)) == 2


def test_a_stream_that_is_deleted_takes_its_publishers_along(client: StreamClient, connect: Connect) -> None:
    other = connect()
    other.code(commands.DeclarePublisher, 1, None, "log")
    other.code(commands.DeclarePublisher, 2, "me", "log")
    answers = client.send(commands.Delete(99, "log"))
    assert answers == [commands.Answer(14, 99, Code.OK), commands.MetadataUpdate(Code.NOT_AVAILABLE, "log")]
    assert other.answers() == [commands.MetadataUpdate(Code.NOT_AVAILABLE, "log")]
    assert other.send(publish(1, published(1, b"a"))) == refused(Code.NO_PUBLISHER, 1)
    assert client.code(commands.Create, "log", {}) is Code.OK
    assert other.code(commands.DeclarePublisher, 1, None, "log") is Code.OK
    assert client.code(commands.Delete, "log") is Code.OK
    assert other.answers() == [commands.MetadataUpdate(Code.NOT_AVAILABLE, "log")]


def test_an_alarm_holds_publishes_and_what_must_not_overtake_them(
    client: StreamClient, simulated: SimulatedBroker
) -> None:
    simulated.broker.alarms.set("memory", True)
    assert client.send(publish(1, published(1, b"a"))) == []
    assert client.send(commands.DeletePublisher(5, 1), publish(1, published(2, b"a"))) == []
    assert client.session.connection_row().state == "blocked"
    assert client.code(commands.Subscribe, 0, "log", OffsetSpec(OffsetType.FIRST), 10) is Code.OK
    simulated.broker.alarms.set("memory", False)
    simulated.settle()
    answers = client.answers()
    assert answers[:2] == [commands.Answer(6, 5, Code.OK), PublishError(1, [PublishingError(2, Code.NO_PUBLISHER)])]
    assert isinstance(answers[2], commands.Deliver)
    assert client.session.connection_row().state == "running"


def test_what_was_published_outlives_the_broker(client: StreamClient, simulated: SimulatedBroker) -> None:
    client.send(publish(1, published(1, b"a")))
    log = stream(simulated).log
    assert (log.first_offset, log.end_offset, log.last_chunk_offset) == (0, 1, 0)
    client.send(publish(1, published(2, b"b"), published(3, b"c")))
    assert (log.first_offset, log.end_offset, log.last_chunk_offset) == (0, 3, 1)


def test_a_reference_makes_publishing_ids_count(
    client: StreamClient, simulated: SimulatedBroker, connect: Connect
) -> None:
    client.code(commands.DeclarePublisher, 2, "me", "log")
    answers = client.send(publish(2, published(5, b"a"), published(5, b"b"), published(4, b"c"), published(9, b"d")))
    assert answers == [PublishConfirm(2, [5, 5, 4, 9])]
    assert client.send(publish(2, published(8, b"e"), published(9, b"f"))) == [PublishConfirm(2, [8, 9])]
    other = connect()
    other.code(commands.DeclarePublisher, 1, "me", "log")
    assert other.send(publish(1, published(9, b"g"), published(10, b"h"))) == [PublishConfirm(1, [9, 10])]
    assert client.send(publish(1, published(1, b"i"))) == [PublishConfirm(1, [1])]
    assert stored(simulated) == [b"a", b"d", b"h", b"i"]
    assert stream(simulated).last_publishing_id(b"me") == 10
