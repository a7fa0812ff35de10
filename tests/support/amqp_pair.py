"""A client half and the broker's half, joined without a socket; bytes pass in pieces of any size."""

from __future__ import annotations

from typing import TypeVar

from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp091.client.channel import ClientChannel
from warren.adapters.amqp091.client.connection import ClientConnection
from warren.adapters.amqp091.client.handshake import Login
from warren.adapters.amqp091.codec import methods
from warren.adapters.peers.errors import PeerError

LOGIN = Login("test", "1.0", "a test's connection")

AnyMethod = TypeVar("AnyMethod", bound=methods.Method)

ROUNDS_MAX = 1000


class Pair:
    """cut: how many bytes the client is given at once, None for all."""

    def __init__(self, broker: SimulatedBroker, login: Login = LOGIN, cut: int | None = None) -> None:
        self.broker = broker
        self.peer = broker.accept()
        self.client = ClientConnection(login, broker.broker.now_ms)
        self.cut = cut

    def exchange(self) -> None:
        """Until neither side has anything to say."""
        for _ in range(ROUNDS_MAX):
            sent = self.client.take()
            if sent:
                self.peer.transport.receive(sent)
            self.broker.settle()
            received = self.peer.transport.take()
            if not sent and not received:
                return
            step = self.cut or max(len(received), 1)
            for start in range(0, len(received), step):
                self.client.receive(received[start : start + step], self.broker.broker.now_ms)
        raise AssertionError("the two never come to rest")

    def channel(self) -> ClientChannel:
        """An open channel."""
        channel = self.client.open_channel()
        self.exchange()
        return channel

    def ask(self, channel: ClientChannel, method: methods.Method, reply: type[AnyMethod]) -> AnyMethod:
        """The reply; PeerError if there is none."""
        replies: list[methods.Method | PeerError] = []
        channel.ask(method, reply, replies.append)
        self.exchange()
        (found,) = replies
        if isinstance(found, PeerError):
            raise found
        assert isinstance(found, reply)
        return found

    def advance(self, milliseconds: int) -> None:
        self.broker.advance(milliseconds)
        self.client.advance(self.broker.broker.now_ms)


def opened(broker: SimulatedBroker, login: Login = LOGIN, cut: int | None = None) -> Pair:
    """A pair after its handshake."""
    pair = Pair(broker, login, cut)
    pair.exchange()
    assert pair.client.opened, pair.client.closed
    return pair
