"""Performatives in any order, right and wrong, cut anywhere.

Each mistake is answered by an error of part 2, and nothing is left when the connections are lost.
"""

from __future__ import annotations

import logging
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.support.simulated_amqp10 import Amqp10Client, Frame, data, of
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp10.codec.composites import encode_composite
from warren.adapters.amqp10.codec.framing import frame_of
from warren.adapters.amqp10.codec.performatives import (
    Attach,
    Begin,
    Close,
    Detach,
    Disposition,
    End,
    Error,
    Flow,
    Open,
    Transfer,
)
from warren.adapters.amqp10.codec.sasl import SaslResponse
from warren.adapters.amqp10.codec.termini import (
    Accepted,
    Coordinator,
    Modified,
    Received,
    Rejected,
    Released,
    Source,
    Target,
    TransactionalState,
)

PAYLOADS = [data(b"content"), b"", b"\x00\x53\x77\x41", b"\x00\x53\x75\xa0\x09", b"\x41"]
ADDRESSES = ["/queues/q", "/queue/r", "/exchanges/amq.fanout/k", "/queues/none", "/management", "nonsense/%zz", None, 7]

channels = st.sampled_from([0, 0, 0, 1, 1, 99])
handles = st.sampled_from([0, 0, 1, 1, 2, 255, 256])
numbers = st.one_of(st.integers(0, 5), st.sampled_from([100, 2**31, 2**32 - 1]))
cuts = st.sampled_from(["whole", "byte by byte", "1", "2", "3"])
states = st.one_of(
    st.none(),
    st.builds(Accepted),
    st.builds(Rejected),
    st.builds(Released),
    st.builds(Modified),
    st.builds(Received),
    st.builds(Error, st.just("amqp:x")),
    st.builds(TransactionalState, st.binary(max_size=4), st.builds(Accepted)),
)


def filled(kind: type, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object of the class with some of these fields."""

    def fill(values: dict[str, Any]) -> Any:
        made = kind()
        for name, value in values.items():
            setattr(made, name, value)
        return made

    return st.fixed_dictionaries({}, optional=fields).map(fill)


sources = filled(Source, address=st.sampled_from(ADDRESSES), dynamic=st.booleans())
targets = filled(Target, address=st.sampled_from(ADDRESSES), dynamic=st.booleans())
flows = filled(
    Flow,
    next_incoming_id=numbers,
    incoming_window=numbers,
    handle=handles,
    delivery_count=numbers,
    link_credit=numbers,
    drain=st.booleans(),
    echo=st.booleans(),
)
transfers = filled(
    Transfer,
    handle=handles,
    delivery_id=numbers,
    delivery_tag=st.binary(max_size=40),
    message_format=st.sampled_from([0, 0, 0, 1]),
    settled=st.booleans(),
    more=st.booleans(),
    rcv_settle_mode=st.sampled_from([0, 0, 1, 2]),
    state=states,
    resume=st.booleans(),
    aborted=st.booleans(),
)
dispositions = filled(Disposition, role=st.booleans(), first=numbers, last=numbers, settled=st.booleans(), state=states)
rare = st.one_of(
    st.builds(Close), st.builds(Open, st.just("again")), st.builds(SaslResponse, st.just(b"")), st.builds(Released)
)


class Logged(logging.Handler):
    """Keeps what is logged."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        self.messages.append(record.getMessage())


class RandomFrames(RuleBasedStateMachine):
    """One connection at a time, and another when it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.simulated = SimulatedBroker()
        self.logged = Logged(logging.ERROR)
        logging.getLogger("warren").addHandler(self.logged)

    @initialize()
    def begin(self) -> None:
        """A session with a sender's link and a receiver's, and something to receive."""
        self.client = Amqp10Client(self.simulated).open().begin()
        self.client.attach_sender("/queue/q")
        self.client.publish(data(b"first"))
        self.client.attach_receiver("/queue/q")
        self.client.credit(3)

    def send(self, body: object, channel: int, cut: str, payload: bytes = b"") -> None:
        """Send a frame; look at what is answered."""
        self.look(self.client.send_bytes(frame_of(channel, encode_composite(body) + payload), cut))

    def look(self, frames: list[Frame]) -> None:
        """Each error is one of the specification's, in words; a connection that was closed was told so."""
        for told in of(Detach, frames) + of(End, frames) + of(Close, frames):
            if told.error is not None:
                assert told.error.condition.startswith("amqp:")
                assert told.error.condition != "amqp:internal-error"
                assert told.error.description
        if self.client.closed:
            assert isinstance(frames[-1].body, Close)
            self.leave()
            self.begin()

    def leave(self) -> None:
        """The connection is lost, and nothing of it is left."""
        broker = self.simulated.broker
        self.client.transport.lose()
        self.simulated.settle()
        assert not broker.sessions
        for queue in self.simulated.vhost.queues.values():
            assert queue.unacked_count == 0
            assert not queue.consumers
            assert queue.ready_count == len(list(queue.browse(0, 10_000)))
        assert not broker.dirty_queues
        assert not broker.awaiting_flush
        assert not [name for name, queue in self.simulated.vhost.queues.items() if queue.exclusive]

    @rule(channel=channels, cut=cuts, body=filled(Begin, incoming_window=numbers, next_outgoing_id=numbers))
    def begin_session(self, channel: int, cut: str, body: Begin) -> None:
        """A session where there is one, or not, or can't be."""
        self.send(body, channel, cut)

    @rule(
        channel=channels,
        cut=cuts,
        role=st.booleans(),
        name=st.sampled_from(["a", "b", "sender-0", "receiver-1"]),
        handle=handles,
        source=st.one_of(sources, targets, st.none()),
        goal=st.one_of(targets, st.builds(Coordinator), st.none()),
        modes=st.tuples(st.sampled_from([0, 1, 2, 3]), st.sampled_from([0, 1, 2])),
    )
    def attach(
        self, channel: int, cut: str, role: bool, name: str, handle: int, source: Any, goal: Any, modes: Any
    ) -> None:
        """A link of any kind."""
        body = Attach()
        body.name, body.handle, body.role, body.source, body.target = name, handle, role, source, goal
        body.snd_settle_mode, body.rcv_settle_mode = modes
        body.initial_delivery_count = None if role else 0
        self.send(body, channel, cut)

    @rule(channel=channels, cut=cuts, body=flows)
    def flow(self, channel: int, cut: str, body: Flow) -> None:
        """Credit, windows, and questions."""
        self.send(body, channel, cut)

    @rule(channel=channels, cut=cuts, body=transfers, payload=st.sampled_from(PAYLOADS))
    def transfer(self, channel: int, cut: str, body: Transfer, payload: bytes) -> None:
        """A message, or a part of one, or none."""
        self.send(body, channel, cut, payload)

    @rule(channel=channels, cut=cuts, body=dispositions)
    def disposition(self, channel: int, cut: str, body: Disposition) -> None:
        """Of what is there, and what isn't."""
        self.send(body, channel, cut)

    @rule(channel=channels, cut=cuts, handle=handles, closed=st.booleans())
    def detach(self, channel: int, cut: str, handle: int, closed: bool) -> None:
        """A link goes."""
        self.send(Detach(handle, closed=closed), channel, cut)

    @rule(channel=channels, cut=cuts)
    def end(self, channel: int, cut: str) -> None:
        """A session goes."""
        self.send(End(), channel, cut)

    @rule(channel=channels, cut=cuts, body=rare)
    def something_else(self, channel: int, cut: str, body: object) -> None:
        """What doesn't belong there, or ends the connection."""
        self.send(body, channel, cut)

    @rule(noise=st.binary(min_size=8, max_size=40), cut=cuts)
    def broken(self, noise: bytes, cut: str) -> None:
        """A frame of anything."""
        self.look(self.client.send_bytes((8 + len(noise)).to_bytes(4, "big") + b"\x02\0\0\0" + noise, cut))

    @rule(body=transfers, part=st.integers(0, 60))
    def lose(self, body: Transfer, part: int) -> None:
        """The connection is lost, maybe within a frame."""
        whole = frame_of(0, encode_composite(body) + PAYLOADS[0])
        self.client.transport.receive(whole[: min(part, len(whole) - 1)])
        self.leave()
        self.begin()

    @invariant()
    def nothing_broke(self) -> None:
        """No error of the broker's own was logged."""
        assert self.logged.messages == []

    def teardown(self) -> None:
        """All is gone in the end."""
        try:
            if hasattr(self, "client"):
                self.leave()
        finally:
            logging.getLogger("warren").removeHandler(self.logged)
            self.simulated.close()


TestRandomFrames = RandomFrames.TestCase
TestRandomFrames.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
