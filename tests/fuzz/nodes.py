"""The link between two nodes of a cluster, with bytes that no node would send once it has proved that it is one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from tests.fuzz.judging import Failed, Target, no_tracebacks, pieces
from tests.support.node_pair import NodePair, Socket, publish_near
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer
from tests.support.simulated_transport import SimulatedTransport


def _link(end_of: Callable[[Socket], SimulatedTransport]) -> Target:
    """The end that is given the input, of a link over which a queue is used."""

    def target(data: bytes) -> None:
        near, far = SimulatedBroker(), SimulatedBroker()
        with no_tracebacks(), closing(near), closing(far):
            pair = NodePair(near, far)
            own, remote = pair.declare()
            consumer = SimulatedConsumer(remote, credit=1)
            remote.add_consumer(consumer)
            publish_near(pair, b"1", b"2")
            end = end_of(pair.sockets[0])
            for piece in pieces(data):
                if not end.closed:
                    end.receive(piece)
                near.broker.end_turn()
                far.broker.end_turn()
            pair.settle()
            pair.advance(60_000)
            remote.remove_consumer(consumer)
            pair.cut = True
            pair.lose_links()
            if far.broker.sessions:
                raise Failed(f"{list(far.broker.sessions)} is left")
            if own.unacked_count:
                raise Failed(f"the queue counts {own.unacked_count} unacknowledged messages")

    return target


asked_node: Target = _link(lambda socket: socket.asked)
asking_node: Target = _link(lambda socket: socket.asking)
