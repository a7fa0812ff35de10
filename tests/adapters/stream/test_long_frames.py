"""Publish frames that are too much for one turn: counted in messages and steps, not by a clock."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import pytest

from tests.adapters.stream.conftest import Connect
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stream import StreamClient, batch, packed, publish, published, published_v2
from warren.adapters.session.ration import COMMANDS_PER_TURN
from warren.adapters.stream.batches import (
    COMMANDS_PER_BATCH,
    COMMANDS_PER_STEP,
    RECORDS_PER_STEP,
    STEP_BYTES,
    UNPACKED_BYTES_MAX,
    UNPACKED_PER_FRAME_BYTES_MAX,
    Looking,
)
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.commands import PublishConfirm, PublishError, PublishingError
from warren.adapters.stream.codec.encoding import encode
from warren.adapters.stream.codec.keys import Code
from warren.adapters.stream.codec.messages import (
    ALIKE_PER_COMMAND,
    ALIKE_PER_PART,
    OTHERS_PER_COMMAND,
    OTHERS_PER_PART,
    PASSED_PER_COMMAND,
    PASSED_PER_PART,
    VALUED_PER_COMMAND,
)
from warren.adapters.stream.settings import StreamProtocolSettings
from warren.core.queues.stream.queue import StreamQueue
from warren.core.streams.log import StreamLog
from warren.gateway.version import form

COUNT = 60_000
"""Of a frame that a megabyte holds, whatever each message has."""


def log_of(simulated: SimulatedBroker) -> StreamLog:
    queue = simulated.vhost.queues["log"]
    assert isinstance(queue, StreamQueue)
    return queue.log


def stored_per_turn(client: StreamClient, data: bytes) -> list[int]:
    """How many messages the stream has more after each turn in which a frame is handled."""
    log = log_of(client.simulated)
    stored = [log.next_offset]
    client.transport.receive(data)
    more = True
    while more:
        stored.append(log.next_offset)
        more = client.simulated.broker.end_turn()
    stored.append(log.next_offset)
    return [after - before for before, after in pairwise(stored)]


def confirmed(client: StreamClient) -> list[int]:
    client.simulated.settle()
    answers = client.answers()
    assert all(isinstance(answer, PublishConfirm) for answer in answers)
    return [id for answer in answers for id in answer.publishing_ids]


def alike() -> commands.Command:
    return publish(1, *[published(n, b"") for n in range(COUNT)])


def others() -> commands.Command:
    return publish(1, *[published(n, b"x" * (n & 1)) for n in range(COUNT)])


def valued() -> commands.Command:
    return commands.PublishV2(1, COUNT, b"".join(published_v2(n, b"", b"") for n in range(COUNT)))


@pytest.mark.parametrize(
    ("frame", "most"),
    [
        (alike(), COMMANDS_PER_TURN * ALIKE_PER_COMMAND + ALIKE_PER_PART),
        (others(), COMMANDS_PER_TURN * OTHERS_PER_COMMAND + OTHERS_PER_PART),
        (valued(), COMMANDS_PER_TURN * VALUED_PER_COMMAND + OTHERS_PER_PART),
    ],
    ids=["alike", "others", "valued"],
)
@pytest.mark.parametrize("reference", [None, "me"])
def test_very_many_messages_are_stored_in_turns(
    client: StreamClient, frame: commands.Command, most: int, reference: str | None
) -> None:
    client.code(commands.DeletePublisher, 1)
    client.code(commands.DeclarePublisher, 1, reference, "log")
    per_turn = stored_per_turn(client, encode(frame))
    assert sum(per_turn) == COUNT
    assert max(per_turn) <= most
    assert confirmed(client) == list(range(COUNT))


def test_what_comes_behind_waits_for_it(client: StreamClient, simulated: SimulatedBroker) -> None:
    behind = encode(publish(1, published(COUNT, b"")))
    assert sum(stored_per_turn(client, encode(others()) + behind)) == COUNT + 1
    assert confirmed(client) == list(range(COUNT + 1))


def test_others_go_on_meanwhile(client: StreamClient, connect: Connect, simulated: SimulatedBroker) -> None:
    other = connect()
    other.code(commands.DeclarePublisher, 1, None, "log")
    client.transport.receive(encode(others()))
    other.transport.receive(encode(publish(1, published(1, b""))))
    assert log_of(simulated).next_offset < COUNT
    assert confirmed(other) == [1]
    assert confirmed(client) == list(range(COUNT))


def test_an_unknown_publisher_is_told_of_each(client: StreamClient) -> None:
    command = publish(9, *[published(n, b"x" * (n & 1)) for n in range(3 * OTHERS_PER_PART)])
    answers = client.send(command)
    assert [each.publisher_id for answer in answers for each in [answer]] == [9] * len(answers)
    errors = [error for answer in answers for error in answer.errors]
    assert errors == [PublishingError(n, Code.NO_PUBLISHER) for n in range(3 * OTHERS_PER_PART)]


def test_a_stream_that_is_deleted_meanwhile(client: StreamClient, connect: Connect, simulated: SimulatedBroker) -> None:
    other = connect()
    client.transport.receive(encode(others()))
    assert other.code(commands.Delete, "log") is Code.OK
    answers = client.answers()
    refused = [error for answer in answers if isinstance(answer, PublishError) for error in answer.errors]
    assert refused
    assert [each.publishing_id for each in refused] == list(range(refused[0].publishing_id, COUNT))
    assert {each.code for each in refused} == {Code.NO_PUBLISHER}


def test_a_connection_that_is_lost_meanwhile(client: StreamClient, simulated: SimulatedBroker) -> None:
    client.transport.receive(encode(others()))
    client.session.connection_lost("the test")
    simulated.settle()
    assert log_of(simulated).next_offset < COUNT


def test_rights_that_end_meanwhile(accept: Connect, client: StreamClient, simulated: SimulatedBroker) -> None:
    users = simulated.broker.users
    users.add_user("alice", "secret")
    users.set_permissions("alice", "/", "", "log", "")
    alice = accept().connect("alice", "secret")
    alice.code(commands.DeclarePublisher, 1, None, "log")
    alice.transport.receive(encode(others()))
    users.set_permissions("alice", "/", "", "nothing", "")
    simulated.settle()
    refused = [error for answer in alice.answers() if isinstance(answer, PublishError) for error in answer.errors]
    assert {each.code for each in refused} == {Code.ACCESS_REFUSED}
    assert len(refused) == COUNT - log_of(simulated).next_offset > 0


@pytest.mark.parametrize(
    "wrong",
    [
        commands.Publish(1, COUNT, alike().data[:-1]),  # type: ignore[attr-defined]
        commands.Publish(1, COUNT, others().data + b"x"),  # type: ignore[attr-defined]
        commands.Publish(1, 0xFFFF_FFFF, others().data),  # type: ignore[attr-defined]
        commands.PublishV2(1, COUNT, valued().data[:-1]),  # type: ignore[attr-defined]
    ],
    ids=["alike", "more", "count", "valued"],
)
def test_one_that_is_malformed_ends_the_connection_and_nothing_of_it_is_stored(
    client: StreamClient, simulated: SimulatedBroker, wrong: commands.Command
) -> None:
    (answer,) = client.send(wrong)
    assert isinstance(answer, commands.Close)
    assert answer.code == Code.UNKNOWN_FRAME
    assert client.closed
    assert log_of(simulated).next_offset == 0


def test_a_frame_is_passed_over_in_turns(client: StreamClient, simulated: SimulatedBroker) -> None:
    """The turns before the first in which something is stored are those that it takes to see that it is whole."""
    per_turn = stored_per_turn(client, encode(others()))
    before = next(number for number, count in enumerate(per_turn) if count)
    assert before >= COUNT // (COMMANDS_PER_TURN * PASSED_PER_COMMAND + PASSED_PER_PART)


def test_a_fault_in_an_earlier_part_ends_the_frame(client: StreamClient, simulated: SimulatedBroker) -> None:
    fault = batch(5, 5, 1, 100, b"x")
    messages = [published(n, b"x" * (n & 1)) for n in range(3 * OTHERS_PER_PART)]
    messages[5] = fault
    answers = client.send(publish(1, *messages))
    refused = [error for answer in answers if isinstance(answer, PublishError) for error in answer.errors]
    assert [each.publishing_id for each in refused] == list(range(5, len(messages)))
    assert answers[-1] == PublishConfirm(1, [0, 1, 2, 3, 4])
    assert log_of(simulated).next_offset == 5


BOMB_BYTES = 4 << 20


MESSAGE_BYTES = 1 << 20
"""Of each of a bomb's messages, with its size."""


@cache
def exploding(size: int) -> bytes:
    """What unpacks to messages of so many bytes in all."""
    return gzip.compress(packed(bytes(MESSAGE_BYTES - 4)) * (size // MESSAGE_BYTES), mtime=0)


def bomb(id: int, size: int = BOMB_BYTES) -> bytes:
    """A batch of so many bytes."""
    return batch(id, 1, size // MESSAGE_BYTES, size, exploding(size))


def lie(id: int) -> bytes:
    """A batch that holds other messages than it says."""
    inside = packed(b"a", b"b")
    return batch(id, 1, 1, len(inside), gzip.compress(inside, mtime=0))


def test_bombs_are_unpacked_in_turns(client: StreamClient, simulated: SimulatedBroker) -> None:
    """Nothing is taken before it is looked into, so turns show how much of that each has."""
    bombs = 4
    per_turn = stored_per_turn(client, encode(publish(1, *[bomb(n) for n in range(bombs)])))
    steps_per_turn = COMMANDS_PER_TURN // COMMANDS_PER_STEP + 1
    steps = bombs * (BOMB_BYTES // STEP_BYTES)
    assert sum(per_turn) == bombs * BOMB_BYTES // MESSAGE_BYTES
    assert len(per_turn) >= steps // steps_per_turn
    assert confirmed(client) == list(range(bombs))


def test_bombs_in_frames_of_their_own_share_a_turn(client: StreamClient, simulated: SimulatedBroker) -> None:
    frames = b"".join(encode(publish(1, bomb(n))) for n in range(20))
    per_turn = stored_per_turn(client, frames)
    # One that was begun before, and what the ration has then.
    in_a_turn = 1 + -(-COMMANDS_PER_TURN // (COMMANDS_PER_STEP * BOMB_BYTES // STEP_BYTES))
    messages = BOMB_BYTES // MESSAGE_BYTES
    assert sum(per_turn) == 20 * messages
    assert max(per_turn) <= in_a_turn * messages
    assert confirmed(client) == list(range(20))


def test_a_frame_has_a_budget_for_all_its_batches(client: StreamClient) -> None:
    full = [bomb(n, UNPACKED_BYTES_MAX) for n in range(UNPACKED_PER_FRAME_BYTES_MAX // UNPACKED_BYTES_MAX)]
    small = batch(50, 1, 1, 4, gzip.compress(packed(b""), mtime=0))
    assert client.send(publish(1, *full, small, published(51, b""))) == [
        PublishError(1, [PublishingError(id, Code.PRECONDITION_FAILED) for id in (50, 51)]),
        PublishConfirm(1, [*range(len(full))]),
    ]


@pytest.mark.parametrize("wrong", [lie, lambda id: bomb(id, UNPACKED_BYTES_MAX + 4)], ids=["lie", "too much"])
def test_a_batch_that_is_wrong_behind_large_ones_is_found(client: StreamClient, wrong: Callable[[int], bytes]) -> None:
    full = [bomb(n) for n in range(8)]
    assert client.send(publish(1, *full, wrong(51))) == [
        PublishError(1, [PublishingError(51, Code.PRECONDITION_FAILED)]),
        PublishConfirm(1, [*range(len(full))]),
    ]


def test_what_lies_about_its_size_is_unpacked_no_further_than_it_says() -> None:
    looking = Looking(1 << 24)
    entry = batch(0, 1, 1, 1_000, gzip.compress(bytes(50 << 20), mtime=0))[8:]
    assert list(looking.into(entry)) == [COMMANDS_PER_BATCH]
    assert looking.fault == "a batch of another size than the 1000 bytes that it says"


def test_very_many_small_batches_are_looked_into_in_turns(client: StreamClient, simulated: SimulatedBroker) -> None:
    """The messages of a part are stored together, so turns show how many batches each looks into."""
    inside = packed(b"")
    count = 4 * OTHERS_PER_PART
    data = gzip.compress(inside, mtime=0)
    per_turn = stored_per_turn(client, encode(publish(1, *[batch(n, 1, 1, 4, data) for n in range(count)])))
    assert sum(per_turn) == count
    assert len(per_turn) > count * COMMANDS_PER_BATCH // COMMANDS_PER_TURN
    assert confirmed(client) == list(range(count))


def test_looking_takes_no_more_memory_than_a_step() -> None:
    looking = Looking(1 << 24)
    entry = bomb(0)[8:]
    tracemalloc.start()
    try:
        steps = 0
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        for commands_of_step in looking.into(entry):
            assert 0 < commands_of_step <= COMMANDS_PER_STEP
            steps += 1
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert looking.fault == ""
    assert steps >= BOMB_BYTES // STEP_BYTES - 1
    # A compiled generator keeps what it has given until it is asked again.
    assert peak < (4 if form() == "interpreted" else 5) * STEP_BYTES


@pytest.mark.parametrize("compression", [0, 1])
@pytest.mark.parametrize("sizes", [[0] * 60_000, [3, 0, 100_000, 1, 300_000, 0], [STEP_BYTES - 4, 0, 5]])
def test_messages_are_passed_across_steps(compression: int, sizes: list[int]) -> None:
    inside = packed(*[bytes(size) for size in sizes])
    data = gzip.compress(inside, mtime=0) if compression else inside
    for records in (len(sizes) - 1, len(sizes), len(sizes) + 1):
        looking = Looking(1 << 24)
        steps = list(looking.into(batch(0, compression, records, len(inside), data)[8:]))
        assert bool(looking.fault) == (records != len(sizes))
        assert looking.fault or len(steps) >= records // RECORDS_PER_STEP


def test_a_message_in_a_batch_that_is_too_large(connect: Connect, client: StreamClient) -> None:
    other = connect(StreamProtocolSettings(message_bytes_max=300_000))
    other.code(commands.DeclarePublisher, 1, None, "log")
    inside = packed(bytes(300_000), bytes(300_001))
    data = gzip.compress(inside, mtime=0)
    assert other.send(publish(1, batch(1, 1, 2, len(inside), data))) == [
        PublishError(1, [PublishingError(1, Code.PRECONDITION_FAILED)])
    ]
