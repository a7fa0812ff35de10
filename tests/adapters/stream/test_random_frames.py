"""Commands in any order, right and wrong, and any bytes, cut anywhere: nothing breaks, and nothing is left behind."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.adapters.stream.codec.drawn_commands import drawn
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stream import StreamClient, frames, publish, published
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.encoding import encode
from warren.adapters.stream.codec.keys import OffsetType
from warren.adapters.stream.codec.kinds import OffsetSpec

STREAMS = st.sampled_from(["a", "b", "nothing"])
IDS = st.integers(0, 2)
COUNTER = st.integers(0, 5)
OFFSETS = st.one_of(
    st.builds(OffsetSpec, st.sampled_from([OffsetType.FIRST, OffsetType.LAST, OffsetType.NEXT]), st.just(0)),
    st.builds(OffsetSpec, st.sampled_from([OffsetType.OFFSET, OffsetType.TIMESTAMP]), st.integers(0, 20)),
)

useful = st.one_of(
    st.builds(commands.Create, COUNTER, STREAMS, st.just({})),
    st.builds(commands.Delete, COUNTER, STREAMS),
    st.builds(commands.DeclarePublisher, COUNTER, IDS, st.none() | st.just("me"), STREAMS),
    st.builds(commands.DeletePublisher, COUNTER, IDS),
    st.builds(lambda id, count: publish(id, *[published(n, b"x" * n) for n in range(count)]), IDS, COUNTER),
    st.builds(commands.Subscribe, COUNTER, IDS, STREAMS, OFFSETS, COUNTER),
    st.builds(commands.Credit, IDS, COUNTER),
    st.builds(commands.Unsubscribe, COUNTER, IDS),
    st.builds(commands.Metadata, COUNTER, st.lists(STREAMS, max_size=3)),
    st.builds(commands.StreamStats, COUNTER, STREAMS),
    st.builds(commands.ResolveOffsetSpec, COUNTER, STREAMS, OFFSETS),
    st.just(commands.Heartbeat()),
)

CUTS = st.sampled_from(["whole", "byte by byte", "1", "2", "3"])
usual = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def _after(simulated: SimulatedBroker, *clients: StreamClient) -> None:
    for client in clients:
        client.session.connection_lost("the test is over")
    simulated.settle()
    assert not simulated.broker.awaiting_flush
    assert simulated.timers == 0
    for queue in simulated.vhost.queues.values():
        assert not queue.consumers
    assert not simulated.broker.sessions
    simulated.close()


@usual
@given(st.lists(st.tuples(st.booleans(), useful, CUTS), max_size=30))
def test_commands_in_any_order(caplog: pytest.LogCaptureFixture, steps: list[tuple[bool, Any, str]]) -> None:
    caplog.clear()
    simulated = SimulatedBroker()
    clients = [StreamClient(simulated).connect(), StreamClient(simulated).connect()]
    for is_first, command, cut in steps:
        clients[is_first].send_bytes(encode(command), cut)
        assert not clients[is_first].closed
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    _after(simulated, *clients)


@usual
@given(st.lists(drawn, max_size=8), CUTS, st.booleans())
def test_any_commands(caplog: pytest.LogCaptureFixture, many: list[Any], cut: str, is_open: bool) -> None:
    caplog.clear()
    simulated = SimulatedBroker()
    client = StreamClient(simulated)
    if is_open:
        client.connect()
    client.send_bytes(b"".join(map(encode, many)), cut)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    _after(simulated, client)


@usual
@given(st.lists(st.binary(max_size=40), max_size=8), CUTS, st.booleans(), st.booleans())
def test_any_bytes(
    caplog: pytest.LogCaptureFixture, many: list[bytes], cut: str, is_open: bool, are_framed: bool
) -> None:
    caplog.clear()
    simulated = SimulatedBroker()
    client = StreamClient(simulated)
    if is_open:
        client.connect()
    data = b"".join(len(each).to_bytes(4, "big") + each if are_framed else each for each in many)
    client.transport.take()
    client.send_bytes(data, cut)
    frames(client.transport.take())
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    _after(simulated, client)
