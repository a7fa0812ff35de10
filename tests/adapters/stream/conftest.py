"""A simulated broker per test; a logged error fails the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stream import StreamClient
from tests.support.tracebacks import errors
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.keys import Code
from warren.adapters.stream.session import StreamSession
from warren.adapters.stream.settings import StreamProtocolSettings

Connect = Callable[..., StreamClient]


@pytest.fixture
def simulated(caplog: pytest.LogCaptureFixture) -> Iterator[SimulatedBroker]:
    """A broker in memory; afterwards nothing of its connections is left."""
    broker = SimulatedBroker()
    yield broker
    for session in list(broker.broker.sessions):
        if isinstance(session, StreamSession):
            session.connection_lost("the test is over")
        else:
            session.force_close("the test is over")
    broker.settle()
    for queue in broker.vhost.queues.values():
        assert not queue.consumers, queue.name
    assert not broker.broker.dirty_queues
    assert not broker.broker.awaiting_flush
    assert broker.timers == 0
    assert errors(caplog) == []
    broker.close()


@pytest.fixture
def accept(simulated: SimulatedBroker) -> Connect:
    """Opens connections that have said nothing yet."""

    def accept(settings: StreamProtocolSettings | None = None, peer_host: str = "127.0.0.1") -> StreamClient:
        return StreamClient(simulated, settings, peer_host)

    return accept


@pytest.fixture
def connect(accept: Connect) -> Connect:
    """Opens connections that have entered the virtual host."""

    def connect(settings: StreamProtocolSettings | None = None, *, heartbeat: int = 0) -> StreamClient:
        return accept(settings).connect(heartbeat=heartbeat)

    return connect


@pytest.fixture
def client(connect: Connect) -> StreamClient:
    """A connection with a stream `log`, and a publisher 1 to it."""
    client: StreamClient = connect()
    assert client.code(commands.Create, "log", {}) is Code.OK
    assert client.code(commands.DeclarePublisher, 1, None, "log") is Code.OK
    return client
