"""A client of AMQP 1.0: links that send and receive, with little credit and a small window, and transactions.

Longer than 400 lines because what is sent and what comes of it share the books of one connection.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from tests.simulation.whole.ledger import Broken, Copy, Holder, Message, Transaction
from tests.simulation.whole.peer import CLASSIC, FANNED, FANOUT, IN, QUEUES, Peer, Unexpected, World, holder_of
from tests.support.simulated_amqp10 import Frame, frames_of
from warren.adapters.amqp10.codec import sasl
from warren.adapters.amqp10.codec.composites import decode_composite, encode_composite
from warren.adapters.amqp10.codec.encoding import described
from warren.adapters.amqp10.codec.framing import AMQP_HEADER, SASL_FRAME, SASL_HEADER, frame, frame_of
from warren.adapters.amqp10.codec.performatives import (
    Attach,
    Begin,
    Close,
    Detach,
    Disposition,
    Flow,
    Open,
    Transfer,
)
from warren.adapters.amqp10.codec.sections import HEADER, VALUE
from warren.adapters.amqp10.codec.termini import (
    Accepted,
    Coordinator,
    Declare,
    Declared,
    Discharge,
    Modified,
    Released,
    Source,
    Target,
    TransactionalState,
)

TARGETS: Final = (
    (f"/exchanges/{FANOUT}/any", FANNED),
    *((f"/queues/{queue}", (queue,)) for queue in (*QUEUES, IN)),
)
CONTROL: Final = 90
FIRST_RECEIVER: Final = 100
WINDOW: Final = 5
"""Transfers that may come before this side speaks of its window again."""

PIECE_BYTES: Final = 2_000
FRAME_BYTES_MAX: Final = 1_500
DURABLE: Final = b"\x00\x53\x70\xc0\x02\x01\x41"
TRANSIENT: Final = b"\x00\x53\x70\xc0\x02\x01\x42"
DATA: Final = b"\x00\x53\x75"
DATA_LONG: Final = b"\xb0"


@dataclass
class Sender:
    """queues: where its messages go.  credit_end: how many it may have sent in all."""

    queues: tuple[str, ...]
    sent: int = 0
    credit_end: int = 0


@dataclass
class Receiver:
    """given: how many may come in all.  received: how many came."""

    queue: str
    holder: Holder
    given: int = 0
    received: int = 0
    is_leaving: bool = False
    pieces: list[Frame] = field(default_factory=list)


class Amqp10Peer(Peer):
    """See the head of this file."""

    keeps_something = False

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self._reset()

    def _reset(self) -> None:
        self._undecoded = b""
        self._is_open = False
        self._senders: dict[int, Sender] = {}
        self._receivers: dict[int, Receiver] = {}
        self._next_handle = FIRST_RECEIVER
        self._next_id = 0
        self._awaited: dict[int, Message | Transaction | Callable[[Any], None] | None] = {}
        self._held: dict[int, tuple[Copy, int]] = {}
        self._next_incoming = 0
        self._window_end = WINDOW

    def hello(self) -> None:
        self._reset()
        init = sasl.SaslInit()
        init.mechanism = "PLAIN"
        init.initial_response = b"\0guest\0guest"
        self.write(SASL_HEADER + frame(0, init, SASL_FRAME))

    def _say(self, body: object, payload: bytes = b"", then: Callable[[], None] | None = None) -> None:
        self.write(frame_of(0, encode_composite(body) + payload), then)

    def _open(self) -> None:
        opened = Open(self.name)
        opened.max_frame_size = FRAME_BYTES_MAX
        self.write(AMQP_HEADER)
        self._say(opened)
        begin = Begin()
        begin.incoming_window = WINDOW
        begin.outgoing_window = 2048
        self._say(begin)
        for handle, (address, queues) in enumerate(TARGETS):
            self._senders[handle] = Sender(queues)
            target = Target()
            target.address = address
            self._attach_sender(handle, target)
        self._senders[CONTROL] = Sender(())
        self._attach_sender(CONTROL, Coordinator())

    def _attach_sender(self, handle: int, target: Any) -> None:
        body = Attach()
        body.name = f"sender-{handle}"
        body.handle = handle
        body.role = False
        body.initial_delivery_count = 0
        body.source = Source()
        body.target = target
        self._say(body)

    def work(self, chance: random.Random) -> None:
        if not self._is_open:
            return
        doings: list[tuple[int, Callable[[random.Random], None]]] = [
            (8, self._publish),
            (3, self._receive),
            (5, self._give_credit),
            (8, self._settle),
            (3, self._transact),
            (1, self._leave),
        ]
        [(_, doing)] = chance.choices(doings, [weight for weight, _ in doings])
        doing(chance)

    # Doings

    def _sender(self, chance: random.Random) -> int | None:
        ready = [handle for handle, each in self._senders.items() if each.queues and each.sent < each.credit_end]
        return chance.choice(ready) if ready else None

    def _send_message(
        self, chance: random.Random, publisher: str, state: Any, awaited: Any
    ) -> tuple[Message, list[bytes]] | None:
        """A new message, and its frames."""
        handle = self._sender(chance)
        if handle is None:
            return None
        sender = self._senders[handle]
        sender.sent += 1
        durable = chance.random() < 0.85
        message = self.ledger.new(publisher, sender.queues, self.body_size(chance))
        if not durable:
            for copy in message.copies.values():
                copy.durable = copy.queue not in (*CLASSIC, IN)
        payload = (DURABLE if durable else TRANSIENT) + DATA + DATA_LONG
        payload += len(message.body).to_bytes(4, "big") + message.body
        self._awaited[self._next_id] = message if awaited is None else None
        frames = []
        for start in range(0, len(payload), PIECE_BYTES):
            frames.append(self._transfer(handle, start + PIECE_BYTES < len(payload), state, start == 0))
            frames[-1] = frame_of(0, frames[-1] + payload[start : start + PIECE_BYTES])
        self._next_id += 1
        return message, frames

    def _transfer(self, handle: int, more: bool, state: Any, is_first: bool) -> bytes:
        body = Transfer()
        body.handle = handle
        if is_first:
            body.delivery_id = self._next_id
            body.delivery_tag = b"%d" % self._next_id
            body.message_format = 0
            body.settled = False
            body.state = state
        body.more = more
        return encode_composite(body)

    def _publish(self, chance: random.Random) -> None:
        for _ in range(chance.choice([1, 1, 3, 6])):
            made = self._send_message(chance, f"{self.name}.{self.connections}", None, None)
            if made is not None:
                message, frames = made
                self.write(b"".join(frames), partial(self.was_read, message))

    def _receive(self, chance: random.Random) -> None:
        if len([each for each in self._receivers.values() if not each.is_leaving]) >= 3:
            return
        handle, self._next_handle = self._next_handle, self._next_handle + 1
        queue = chance.choice(QUEUES)
        self._receivers[handle] = Receiver(queue, holder_of(self, str(handle)))
        body = Attach()
        body.name = f"receiver-{handle}"
        body.handle = handle
        body.role = True
        body.source = Source()
        body.source.address = f"/queues/{queue}"
        body.target = Target()
        self._say(body)
        self._flow(handle, chance.choice([1, 3]))

    def _give_credit(self, chance: random.Random) -> None:
        handles = [handle for handle, each in self._receivers.items() if not each.is_leaving]
        if handles:
            self._flow(chance.choice(handles), chance.choice([1, 2, 5]))
        else:
            self._receive(chance)

    def _flow(self, handle: int, credit: int) -> None:
        receiver = self._receivers[handle]
        receiver.given = max(receiver.given, receiver.received + credit)
        body = Flow()
        body.next_incoming_id = self._next_incoming
        body.incoming_window = WINDOW
        body.next_outgoing_id = self._next_id
        body.outgoing_window = 2048
        body.handle = handle
        body.delivery_count = receiver.received
        body.link_credit = receiver.given - receiver.received
        self._window_end = max(self._window_end, self._next_incoming + WINDOW)
        self._say(body)

    def _settle(self, chance: random.Random) -> None:
        for _ in range(chance.choice([1, 3])):
            if not self._held:
                return
            number = chance.choice(list(self._held))
            copy, _ = self._held.pop(number)
            state = chance.choice([Accepted(), Accepted(), Released(), Modified()])
            done = self.was_settled if isinstance(state, Accepted) else self.ledger.returned
            self._say(self._disposition(number, state), then=partial(done, [copy]))

    def _disposition(self, number: int, state: Any) -> Disposition:
        body = Disposition()
        body.role = True
        body.first = number
        body.settled = True
        body.state = state
        return body

    def _control(self, body: object, awaited: Any, then: Callable[[], None] | None = None) -> None:
        sender = self._senders[CONTROL]
        sender.sent += 1
        head = self._transfer(CONTROL, False, None, True)
        self._awaited[self._next_id] = awaited
        self._next_id += 1
        self.write(frame_of(0, head + described(VALUE, encode_composite(body))), then)

    def _transact(self, chance: random.Random) -> None:
        sender = self._senders[CONTROL]
        if sender.sent < sender.credit_end:
            self._control(Declare(), partial(self._go_on, chance.randrange(1 << 32)))

    def _go_on(self, salt: int, state: Any) -> None:
        """A transaction is declared."""
        if not isinstance(state, Declared):
            raise Unexpected(f"{self.name} got {state}")
        chance = random.Random(salt)
        transaction = Transaction(f"{self.name}.{self.connections}.{len(self.ledger.messages)}")
        for _ in range(chance.choice([1, 2, 4])):
            made = self._send_message(chance, transaction.name, TransactionalState(state.txn_id), transaction)
            if made is not None:
                message, frames = made
                transaction.published += message.copies.values()
                self.write(b"".join(frames))
        fails = chance.random() < 0.2
        for number in list(self._held)[: chance.choice([0, 1, 2])]:
            if not fails:
                copy, _ = self._held.pop(number)
                transaction.settled.append(copy)
                self._say(self._disposition(number, TransactionalState(state.txn_id, Accepted())))
        discharge = Discharge()
        discharge.txn_id, discharge.fail = state.txn_id, fails
        if fails:
            self._control(discharge, None)
        else:
            self._control(discharge, transaction, partial(self.was_committed, transaction))

    def _leave(self, chance: random.Random) -> None:
        handles = [handle for handle, each in self._receivers.items() if not each.is_leaving]
        if not handles:
            return
        handle = chance.choice(handles)
        receiver = self._receivers[handle]
        receiver.is_leaving = True
        self._say(Detach(handle, closed=True), then=partial(self._left, receiver))
        self._held = {number: each for number, each in self._held.items() if each[1] != handle}

    def _left(self, receiver: Receiver) -> None:
        receiver.holder.over = True

    # What comes

    def parse(self, data: bytes) -> None:
        data = self._undecoded + data
        at = 0
        while len(data) - at >= 8:
            size = 8 if data[at : at + 4] == b"AMQP" else int.from_bytes(data[at : at + 4], "big")
            if len(data) - at < size:
                break
            at += size
        self._undecoded = data[at:]
        for each in frames_of(data[:at]):
            self._take(each)

    def _take(self, frame: Frame) -> None:
        body = frame.body
        if isinstance(body, Transfer):
            self._came(frame)
        elif isinstance(body, Disposition):
            if body.role:
                self._told(body)
        elif isinstance(body, Flow):
            if body.handle in self._senders:
                sender = self._senders[body.handle]
                sender.credit_end = (body.delivery_count or 0) + (body.link_credit or 0)
        elif isinstance(body, sasl.SaslOutcome):
            self._open()
        elif isinstance(body, Begin):
            self._next_incoming = body.next_outgoing_id
            self._window_end = self._next_incoming + WINDOW
            self._is_open = True
        elif isinstance(body, Close):
            self._closed(body)
        elif isinstance(body, Detach) and not (body.handle in self._receivers and body.error is None):
            raise Unexpected(f"{self.name} got {frame}")

    def _closed(self, body: Close) -> None:
        if body.error is None or body.error.condition != "amqp:connection:forced":
            raise Unexpected(f"{self.name} got {body.error and vars(body.error)}")
        self.closing = True

    def _told(self, body: Disposition) -> None:
        if not body.settled:
            raise Unexpected(f"{self.name} got {vars(body)}")
        for number in range(body.first, (body.first if body.last is None else body.last) + 1):
            awaited = self._awaited.pop(number)
            if callable(awaited):
                awaited(body.state)
                continue
            state = body.state.outcome if isinstance(body.state, TransactionalState) else body.state
            if not isinstance(state, Accepted):
                raise Unexpected(f"{self.name} got {state and vars(state)} for {awaited}")
            self.world.trace(f"{self.name} was told of {number}")
            if isinstance(awaited, Transaction):
                self.ledger.transaction_known(awaited)
            elif awaited is not None:
                if not awaited.sent:
                    raise Broken(f"{self.name} was told of {number} before it was there")
                self.ledger.confirmed(awaited)

    def _came(self, frame: Frame) -> None:
        self._next_incoming += 1
        if self._next_incoming > self._window_end:
            raise Broken(f"{self.name} gets more than its window takes")
        receiver = self._receivers[frame.body.handle]
        receiver.pieces.append(frame)
        if frame.body.more:
            return
        pieces, receiver.pieces = receiver.pieces, []
        receiver.received += 1
        if receiver.received > receiver.given:
            raise Broken(f"{self.name} gets more than its credit of {receiver.given}")
        if receiver.is_leaving or receiver.holder.over:
            return
        payload = b"".join(each.payload for each in pieces)
        redelivered: bool | None = None
        if payload[2] == HEADER:
            header, _ = decode_composite(payload, 0, len(payload))
            redelivered = not header.first_acquirer
        copy = self.ledger.delivered(receiver.queue, body_of(payload), receiver.holder, redelivered=redelivered)
        number = pieces[0].body.delivery_id
        self._held[number] = copy, frame.body.handle
        self.world.trace(f"{self.name} got {copy.message.number} of {copy.queue}")

    def over(self) -> None:
        for receiver in self._receivers.values():
            receiver.holder.over = True


def body_of(payload: bytes) -> bytes:
    """The one data section of a message."""
    at = payload.index(DATA) + len(DATA)
    size = 4 if payload[at : at + 1] == DATA_LONG else 1
    length = int.from_bytes(payload[at + 1 : at + 1 + size], "big")
    return payload[at + 1 + size : at + 1 + size + length]
