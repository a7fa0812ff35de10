"""What clients of AMQP 1.0 do in the simulation, beside those of AMQP 0-9-1 and on the same queues.

They publish by links to a queue or an exchange and by one without an address, settled or not, in one frame or several,
and give some up halfway; they receive on credit that they also take away, ask for anew from an old count or have
drained; they accept, release, reject and modify, one by one or in ranges, also in transactions; and they detach, end
sessions, and vanish in the middle of a message.

Every connection has two sessions.  The first has the link that controls transactions, in which both take part.

Longer than 400 lines because every performative is a doing of its own, and all share one state.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from tests.simulation.amqp10_peer import SESSIONS, Amqp10Peer, Arrived, Receiver, Sender, frame_bytes, noted
from tests.simulation.model import Model, ModelConsumer, ModelTransaction
from tests.support.simulated_amqp10 import data
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp10.codec.composites import encode_composite
from warren.adapters.amqp10.codec.encoding import described, encode, list_of, string
from warren.adapters.amqp10.codec.performatives import SETTLED, Attach, Detach, Disposition, Flow, Transfer
from warren.adapters.amqp10.codec.sections import PROPERTIES, VALUE
from warren.adapters.amqp10.codec.termini import (
    Accepted,
    Coordinator,
    Declare,
    Declared,
    Discharge,
    Modified,
    Rejected,
    Released,
    Source,
    Target,
    TransactionalState,
)

PEERS: Final = 2
NAMELESS: Final = 0
"""The handle of the link without an address, in every session."""

CONTROL: Final = 1
"""The handle of the coordinator's link, in the first session."""

HANDLES: Final = range(2, 12)
LINKS_MAX: Final = 5
"""Beside those two, of a session."""

TRANSACTIONS_MAX: Final = 2

DURABLE, TRANSIENT = b"\x00\x53\x70\xc0\x02\x01\x41", b"\x00\x53\x70\xc0\x02\x01\x42"

Channel = tuple[int, int]


class Amqp10Doings:
    """numbers: of its connections, in the model.  doings: with their weights, for the driver to choose from."""

    def __init__(
        self,
        chance: random.Random,
        simulated: SimulatedBroker,
        model: Model,
        tell: Callable[[str], None],
        first_number: int,
        *,
        is_stored: bool,
        keys: tuple[str, ...],
        queues: tuple[str, ...],
    ) -> None:
        self.numbers = range(first_number, first_number + PEERS)
        self.peers: dict[int, Amqp10Peer] = {}
        self._chance = chance
        self._simulated = simulated
        self._model = model
        self._tell = tell
        self._is_stored = is_stored
        self._keys = keys
        self._queues = queues
        self._drained: list[tuple[int, int, str]] = []
        self._links = 0
        self.doings: list[tuple[int, Callable[[], None]]] = [
            (26, self._publish),
            (3, self._give_message_up),
            (8, self._attach_receiver),
            (14, self._give_credit),
            (4, self._drain),
            (18, self._settle),
            (3, self._detach_receiver),
            (4, self._attach_sender),
            (2, self._detach_sender),
            (4, self._declare),
            (4, self._discharge),
            (1, self._end_control),
            (1, self._end_session),
            (1, self._lose_connection),
        ]

    # What the driver calls

    def connect(self) -> None:
        """All connect."""
        self.peers = {number: self._connected(number) for number in self.numbers}

    def queue_is_gone(self, keys: list[tuple[int, int, str]]) -> None:
        """The queue of these consumers was deleted: their links are detached, and say so, too."""
        detached = []
        for number, channel, tag in keys:
            session = self.peers[number].sessions[channel]
            handle = next(handle for handle, receiver in session.receivers.items() if receiver.tag == tag)
            session.ending.add(handle)
            detached.append((number, channel, handle))
        for number, channel, handle in detached:
            peer = self.peers[number]
            peer.collect()
            assert handle not in peer.sessions[channel].ending, f"{handle} wasn't told that its queue is gone"
            peer.tell(Detach(handle, closed=True), channel)
            receiver = peer.sessions[channel].receivers.pop(handle)
            self._return((number, channel), receiver)

    def arrived(self) -> list[list[Arrived]]:
        """Deliveries that came to each connection."""
        found = []
        for peer in self.peers.values():
            peer.collect()
            found.append(peer.arrived)
            peer.arrived = []
        return found

    def flushed(self) -> None:
        """All that was sent is on disk."""
        for peer in self.peers.values():
            peer.flushed()

    def check_rest(self) -> None:
        """The broker is at rest, and the model has seen all deliveries."""
        for key in self._drained:
            consumer = self._model.consumers[key]
            assert not (consumer.link_credit and self._model.queues[consumer.queue].ready), f"{key} isn't drained"
            consumer.link_credit = 0
        self._drained.clear()
        for number, peer in self.peers.items():
            peer.check_rest(is_flushed=self._simulated.commits_by_itself)
            for channel, session in enumerate(peer.sessions):
                for receiver in session.receivers.values():
                    credit = self._model.consumers[number, channel, receiver.tag].link_credit
                    assert credit == receiver.given - receiver.received, f"{receiver} should have {credit}"

    @property
    def _waits(self) -> bool:
        """Whether what is to be stored isn't before somebody says so."""
        return self._is_stored and not self._simulated.commits_by_itself

    # Connections and sessions

    def _connected(self, number: int) -> Amqp10Peer:
        peer = Amqp10Peer(self._simulated, self._chance, number)
        for channel in range(SESSIONS):
            self._set_up(number, peer, channel)
        return peer

    def _set_up(self, number: int, peer: Amqp10Peer, channel: int) -> None:
        self._model.open((number, channel))
        self._attach(peer, channel, NAMELESS, Sender("", None), Target())
        if channel == 0:
            self._attach(peer, channel, CONTROL, Sender("", None), Coordinator())

    def _attach(
        self, peer: Amqp10Peer, channel: int, handle: int, sender: Sender, target: Target | Coordinator
    ) -> None:
        body = self._attach_of(handle)
        body.initial_delivery_count = 0
        body.source = Source()
        body.target = target
        peer.sessions[channel].senders[handle] = sender
        peer.tell(body, channel)
        assert sender.credit > 0

    def _attach_of(self, handle: int) -> Attach:
        self._links += 1
        body = Attach()
        body.name = f"link-{self._links}"
        body.handle = handle
        return body

    def _channel_ends(self, channel: Channel) -> None:
        """A session of the model ends: with its consumers, the transactions that it controls, and what it has."""
        model = self._model
        for key in [key for key in model.consumers if key[:2] == channel]:
            model.cancel(key)
        if channel[1] == 0:
            self._control_ends(channel[0])
        model.doom(channel)
        model.close(channel)
        del model.held[channel]

    def _control_ends(self, number: int) -> None:
        for id in [id for id in self._model.transactions if id[0] == number]:
            self._model.give_up(id)

    def _end_session(self) -> None:
        number, channel = self._channel()
        self._tell(f"{number}.{channel} end")
        self.peers[number].begin(channel)
        self._channel_ends((number, channel))
        self._set_up(number, self.peers[number], channel)

    def _lose_connection(self) -> None:
        number = self._chance.choice(self.numbers)
        peer = self.peers[number]
        self._tell(f"connection {number} is lost")
        if self._chance.random() < 0.5 and peer.sessions[0].senders[NAMELESS].credit:
            transfer = self._transfer(peer, 0, NAMELESS)
            transfer.more = True
            frame = frame_bytes(transfer, 0, self._message(b"lost", "/queues/a", persistent=True))
            peer.send(frame[: self._chance.choice([len(frame), len(frame) // 2])])
        peer.client.transport.lose()
        self._simulated.peers.remove(peer.client)
        for channel in range(SESSIONS):
            self._channel_ends((number, channel))
        self.peers[number] = self._connected(number)

    # Choices

    def _channel(self) -> Channel:
        return self._chance.choice(self.numbers), self._chance.randrange(SESSIONS)

    def _queue(self) -> str | None:
        return self._chance.choice(sorted(self._model.queues)) if self._model.queues else None

    def _free_handle(self, channel: Channel) -> int | None:
        session = self.peers[channel[0]].sessions[channel[1]]
        used = {*session.senders, *session.receivers}
        return None if len(used) > LINKS_MAX else next(each for each in HANDLES if each not in used)

    def _receiver(self) -> tuple[int, int, int, Receiver] | None:
        found = [
            (number, channel, handle, receiver)
            for number, peer in self.peers.items()
            for channel, session in enumerate(peer.sessions)
            for handle, receiver in session.receivers.items()
        ]
        return self._chance.choice(found) if found else None

    def _transaction(self, number: int) -> bytes:
        """One that is open, now and then; empty for none."""
        open_ones = [id for connection, id in self._model.transactions if connection == number]
        return self._chance.choice(open_ones) if open_ones and self._chance.random() < 0.5 else b""

    # Publishing

    def _attach_sender(self) -> None:
        channel = self._channel()
        handle, queue = self._free_handle(channel), self._queue()
        if handle is None:
            return
        sender, target = Sender("amq.direct", self._chance.choice(self._keys)), Target()
        if queue is not None and self._chance.random() < 0.6:
            sender = Sender("", queue)
        target.address = address_of(sender.exchange, sender.key or "")
        self._tell(f"{channel} attach {handle} to {target.address}")
        self._attach(self.peers[channel[0]], channel[1], handle, sender, target)

    def _detach_sender(self) -> None:
        number, channel = self._channel()
        session = self.peers[number].sessions[channel]
        handles = [handle for handle in session.senders if handle in HANDLES]
        if not handles:
            return
        handle = self._chance.choice(handles)
        self._tell(f"{number}.{channel} detach {handle}")
        self._detach(number, channel, handle)

    def _detach(self, number: int, channel: int, handle: int) -> None:
        peer, session = self.peers[number], self.peers[number].sessions[channel]
        session.ending.add(handle)
        peer.tell(Detach(handle, closed=self._chance.random() < 0.5), channel)
        assert not session.ending, f"the detach of {handle} isn't answered"
        session.senders.pop(handle, None)
        session.receivers.pop(handle, None)

    def _publish(self) -> None:
        """A row of messages that are alike but for their bodies, as far as there is credit."""
        number, channel = self._channel()
        peer = self.peers[number]
        senders = peer.sessions[channel].senders
        handle = self._chance.choice([handle for handle in senders if handle != CONTROL])
        sender = senders[handle]
        exchange, key = sender.exchange, sender.key
        if key is None:
            exchange = self._chance.choice(["", "amq.direct"])
            key = self._chance.choice(self._keys if exchange else self._queues)
        transaction = self._transaction(number) if self._chance.random() < 0.4 else b""
        persistent = self._chance.random() < 0.6
        settled = not transaction and self._chance.random() < 0.2
        frames: list[bytes] = []
        for _ in range(min(self._chance.choice([1, 1, 2, 5, 12]), sender.credit)):
            body = b"%d." % self._model.number + b"x" * self._chance.choice([0, 1, 20, 300, 5000])
            self._tell(
                f"{number}.{channel} publish {body[:8]!r} by {handle} to {exchange}/{key} {persistent=} {settled=} "
                f"{transaction!r}"
            )
            payload = self._message(body, None if sender.key else address_of(exchange, key), persistent=persistent)
            frames += self._transfers(peer, channel, handle, payload, settled=settled, transaction=transaction)
            unknown = not sender.key and not exchange and key not in self._model.queues
            self._published((number, channel), exchange, key, body, persistent, settled, transaction, unknown=unknown)
        peer.send(*frames)

    def _published(
        self,
        channel: Channel,
        exchange: str,
        key: str,
        body: bytes,
        persistent: bool,
        settled: bool,
        transaction: bytes,
        *,
        unknown: bool,
    ) -> None:
        """What the model says of a publish, and what the peer has to hear.  unknown: the message names no queue."""
        model, peer = self._model, self.peers[channel[0]]
        routed = bool(model.targets(exchange, key))
        outcome: type = Rejected if unknown else Accepted if routed else Released
        if transaction:
            found = model.transactions[channel[0], transaction]
            if routed and found.doomed:
                outcome = Rejected
            elif routed:
                model.number += 1
                found.publishes.append((channel, exchange, key, body, persistent))
            peer.expect(channel[1], outcome, transaction=b"" if unknown else transaction)
            return
        names = model.targets(exchange, key)
        waits = persistent and self._waits and any(model.queues[name].durable for name in names)
        model.publish(exchange, key, body, persistent=persistent)
        if settled:
            peer.next_id(channel[1])
        else:
            peer.expect(channel[1], outcome, unflushed=waits)

    def _message(self, body: bytes, to: str | None, *, persistent: bool) -> bytes:
        properties = b""
        if to is not None:
            properties = described(PROPERTIES, list_of([encode(None), encode(None), string(to)]))
        return (DURABLE if persistent else TRANSIENT) + properties + data(body)

    def _transfer(self, peer: Amqp10Peer, channel: int, handle: int) -> Transfer:
        session = peer.sessions[channel]
        session.senders[handle].sent += 1
        session.senders[handle].credit -= 1
        body = Transfer()
        body.handle = handle
        body.delivery_id = session.next_id
        body.delivery_tag = b"%d" % session.next_id
        body.message_format = 0
        return body

    def _transfers(
        self, peer: Amqp10Peer, channel: int, handle: int, payload: bytes, *, settled: bool, transaction: bytes = b""
    ) -> list[bytes]:
        """A message in one frame, or in several."""
        parts = [payload]
        if self._chance.random() < 0.2:
            size = 1 + len(payload) // self._chance.randint(2, 4)
            parts = [payload[at : at + size] for at in range(0, len(payload), size)]
        frames = []
        for index, part in enumerate(parts):
            body = Transfer()
            body.handle = handle
            if not index:
                body = self._transfer(peer, channel, handle)
                body.settled = settled
                body.state = TransactionalState(transaction) if transaction else None
            body.more = index < len(parts) - 1
            frames.append(frame_bytes(body, channel, part))
        return frames

    def _give_message_up(self) -> None:
        """Begin a message, and abort it: nothing of it may ever be seen."""
        number, channel = self._channel()
        peer = self.peers[number]
        if not peer.sessions[channel].senders[NAMELESS].credit:
            return
        self._tell(f"{number}.{channel} begin a message and abort it")
        first = self._transfer(peer, channel, NAMELESS)
        first.more = True
        last = Transfer()
        last.handle, last.aborted = NAMELESS, True
        peer.next_id(channel)
        payload = self._message(b"aborted", address_of("", "a"), persistent=True)
        peer.send(frame_bytes(first, channel, payload), frame_bytes(last, channel))

    # Receiving

    def _attach_receiver(self) -> None:
        channel = self._channel()
        handle, name = self._free_handle(channel), self._queue()
        if handle is None or name is None:
            return
        settled = self._chance.random() < 0.25
        body = self._attach_of(handle)
        body.role = True
        body.source, body.target = Source(), Target()
        body.source.address = address_of("", name)
        if settled:
            body.snd_settle_mode = SETTLED
        self._tell(f"{channel} attach {handle} to receive from {name} as {body.name} {settled=}")
        peer = self.peers[channel[0]]
        peer.sessions[channel[1]].receivers[handle] = Receiver(body.name)
        peer.tell(body, channel[1])
        self._model.consumers[(*channel, body.name)] = ModelConsumer(name, channel, 0, settled, link_credit=0)
        if self._chance.random() < 0.7:
            self._credit(channel, handle)

    def _give_credit(self) -> None:
        found = self._receiver()
        if found is not None:
            number, channel, handle, _ = found
            self._credit((number, channel), handle)

    def _credit(self, channel: Channel, handle: int) -> None:
        """More, less or none; sometimes counted from an earlier delivery, as if those after it were on their way."""
        peer = self.peers[channel[0]]
        receiver = peer.sessions[channel[1]].receivers[handle]
        credit = self._chance.choice([0, 1, 1, 3, 10, 100])
        count = max(receiver.received - self._chance.choice([0, 0, 0, 1, 4]), 0)
        receiver.given = max(count + credit, receiver.received)
        self._tell(f"{channel} {handle} has a credit of {credit} from {count}")
        consumer = self._model.consumers[(*channel, receiver.tag)]
        consumer.link_credit = receiver.given - receiver.received
        flow = self._flow_of(handle, count, credit)
        flow.echo = self._chance.random() < 0.3
        peer.tell(flow, channel[1])

    def _flow_of(self, handle: int, count: int, credit: int) -> Flow:
        flow = Flow()
        flow.next_incoming_id = 0
        flow.incoming_window = flow.outgoing_window = 2**31 - 1
        flow.handle = handle
        flow.delivery_count = count
        flow.link_credit = credit
        return flow

    def _drain(self) -> None:
        found = self._receiver()
        if found is None:
            return
        number, channel, handle, receiver = found
        credit = self._chance.choice([0, 1, 5, 50])
        self._tell(f"{number}.{channel} {handle} is to be drained of {credit}")
        key = (number, channel, receiver.tag)
        flow = self._flow_of(handle, receiver.received, credit)
        flow.drain = receiver.draining = True
        receiver.given = receiver.received + credit
        self._model.consumers[key].link_credit = credit
        self._drained.append(key)
        self.peers[number].tell(flow, channel)
        assert not receiver.draining, f"{key} isn't told that it is drained"

    def _detach_receiver(self) -> None:
        found = self._receiver()
        if found is None:
            return
        number, channel, handle, receiver = found
        self._tell(f"{number}.{channel} detach {handle}, {receiver.tag}")
        self._detach(number, channel, handle)
        self._model.cancel((number, channel, receiver.tag))
        self._return((number, channel), receiver)

    def _return(self, channel: Channel, receiver: Receiver) -> None:
        """A link has ended: what came by it and isn't settled goes back, unless its queue is gone."""
        held = self._model.held[channel]
        for delivery in [delivery for delivery, each in held.items() if each.tag == receiver.tag]:
            self._model.settle(channel, delivery, multiple=False, requeue=True)

    def _settle(self) -> None:
        """One delivery or a range, by any outcome, with or without the last word, at once or in a transaction."""
        model = self._model
        holding = [channel for channel, held in model.held.items() if held and channel[0] in self.numbers]
        if not holding:
            return
        number, channel = self._chance.choice(holding)
        held = model.held[number, channel]
        first = self._chance.choice(list(held))
        last = first + self._chance.choice([0, 0, 0, 1, 3, 20])
        last = min(last, model.next_tags[number, channel])
        tags = [tag for tag in held if first <= tag <= last]
        outcome, requeue, note = self._outcome()
        transaction = self._transaction(number)
        if transaction and model.transactions[number, transaction].doomed:
            return
        by_receiver = self._chance.random() < 0.7
        self._tell(
            f"{number}.{channel} settle {first} to {last} {type(outcome).__name__} {requeue=} {note=} {by_receiver=} "
            f"{transaction!r}"
        )
        body = Disposition()
        body.role = True
        body.first, body.last = first - 1, last - 1
        body.settled = by_receiver
        body.state = TransactionalState(transaction, outcome) if transaction else outcome
        if transaction:
            id = (number, transaction)
            model.enlist(id, (number, channel), tags, requeue=requeue, note=note, by_receiver=by_receiver)
        else:
            for tag in tags:
                if note is not None:
                    model.amend(held[tag], note)
                model.settle((number, channel), tag, multiple=False, requeue=requeue)
            if not by_receiver:
                self.peers[number].sessions[channel].answers.append((first - 1, last - 1))
        self.peers[number].tell(body, channel)

    def _outcome(self) -> tuple[object, bool, int | None]:
        """An outcome; whether the message returns by it; and what is written on it."""
        kind = self._chance.random()
        if kind < 0.5:
            return Accepted(), False, None
        if kind < 0.7:
            return Released(), True, None
        if kind < 0.78:
            return Rejected(), False, None
        modified = Modified()
        modified.delivery_failed = self._chance.random() < 0.5
        modified.undeliverable_here = self._chance.random() < 0.2
        note = None
        if not modified.undeliverable_here and self._chance.random() < 0.5:
            note = self._chance.randrange(1000)
            modified.message_annotations = noted(note)
        return modified, not modified.undeliverable_here, note

    # Transactions

    def _declare(self) -> None:
        number = self._chance.choice(self.numbers)
        is_full = sum(1 for id in self._model.transactions if id[0] == number) >= TRANSACTIONS_MAX
        if is_full or not self.peers[number].sessions[0].senders[CONTROL].credit:
            return
        state = self._ask(number, Declare(), Declared)
        self._tell(f"{number} declare {state.txn_id!r}")
        self._model.transactions[number, state.txn_id] = ModelTransaction()

    def _discharge(self) -> None:
        if not self._model.transactions:
            return
        number, id = self._chance.choice(sorted(self._model.transactions))
        transaction = self._model.transactions[number, id]
        if not self.peers[number].sessions[0].senders[CONTROL].credit:
            return
        discharge = Discharge()
        discharge.txn_id, discharge.fail = id, self._chance.random() < 0.3
        self._tell(f"{number} discharge {id!r} {discharge.fail=} {transaction.doomed=}")
        if discharge.fail or transaction.doomed:
            self._model.give_up((number, id))
            self._ask(number, discharge, Accepted if discharge.fail else Rejected)
            return
        for settlement in transaction.settlements:
            if not settlement.by_receiver:
                answers = self.peers[number].sessions[settlement.channel[1]].answers
                answers += [(tag - 1, tag - 1) for tag in settlement.deliveries]
        stored = self._model.commit((number, id))
        self._ask(number, discharge, Accepted, unflushed=stored and self._waits)

    def _ask(self, number: int, body: object, outcome: type, *, unflushed: bool = False) -> Any:
        """Send something to the coordinator; what it says, if that is known at once."""
        peer = self.peers[number]
        transfer = self._transfer(peer, 0, CONTROL)
        id = peer.expect(0, outcome, unflushed=unflushed)
        peer.send(frame_bytes(transfer, 0, described(VALUE, encode_composite(body))))
        return peer.states.pop((0, id), None)

    def _end_control(self) -> None:
        """The controlling link ends, and another one begins: what it hasn't discharged is given up."""
        number = self._chance.choice(self.numbers)
        self._tell(f"{number} ends its controlling link")
        self._detach(number, 0, CONTROL)
        self._control_ends(number)
        self._attach(self.peers[number], 0, CONTROL, Sender("", None), Coordinator())


def address_of(exchange: str, key: str) -> str:
    """An address of version 2."""
    return f"/exchanges/{exchange}/{key}" if exchange else f"/queues/{key}"
