"""A client of STOMP 1.2: it sends with receipts, subscribes with a prefetch, settles one by one, has transactions."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Final

from tests.simulation.whole.ledger import Broken, Copy, Message, Transaction
from tests.simulation.whole.peer import (
    CLASSIC,
    FANNED,
    FANOUT,
    FROM_MQTT,
    IN,
    QUEUES,
    Peer,
    Unexpected,
    World,
    holder_of,
)
from tests.support.simulated_stomp import Answer, answers, frame

PREFETCH: Final = 3


class StompPeer(Peer):
    """See the head of this file."""

    keeps_something = False

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self._reset()

    def _reset(self) -> None:
        self._undecoded = b""
        self._holder = holder_of(self, "stomp")
        self._held: dict[str, tuple[Copy, str]] = {}
        self._subscribed: dict[str, str] = {}
        self._waiting: dict[str, Message | Transaction] = {}
        self._receipts = 0

    def hello(self) -> None:
        self._reset()
        self.write(frame("CONNECT", accept_version="1.2", host="/", login="guest", passcode="guest"))
        self._subscribe(FROM_MQTT)

    def work(self, chance: random.Random) -> None:
        doings: list[tuple[int, Callable[[random.Random], None]]] = [
            (8, self._send),
            (3, self._begin_consuming),
            (7, self._settle),
            (4, self._transact),
        ]
        [(_, doing)] = chance.choices(doings, [weight for weight, _ in doings])
        doing(chance)

    def _next_receipt(self, what: Message | Transaction) -> str:
        self._receipts += 1
        receipt = f"r{self._receipts}"
        self._waiting[receipt] = what
        return receipt

    def _new(self, chance: random.Random, publisher: str) -> tuple[Message, dict[str, str]]:
        destination, queues = chance.choice(
            [(f"/exchange/{FANOUT}/any", FANNED), *((f"/amq/queue/{each}", (each,)) for each in (*QUEUES, IN))]
        )
        persistent = chance.random() < 0.85
        message = self.ledger.new(publisher, queues, self.body_size(chance))
        if not persistent:
            for copy in message.copies.values():
                copy.durable = copy.queue not in (*CLASSIC, IN)
        return message, {"destination": destination, **({"persistent": "true"} if persistent else {})}

    def _frame_of(self, message: Message, headers: dict[str, str]) -> bytes:
        return frame("SEND", message.body, content_length=str(len(message.body)), **headers)

    def _send(self, chance: random.Random) -> None:
        for _ in range(chance.choice([1, 1, 4])):
            message, headers = self._new(chance, f"{self.name}.{self.connections}")
            headers["receipt"] = self._next_receipt(message)
            self.write(self._frame_of(message, headers), partial(self.was_read, message))

    def _begin_consuming(self, chance: random.Random) -> None:
        self._subscribe(chance.choice(QUEUES))

    def _subscribe(self, queue: str) -> None:
        if queue not in self._subscribed.values():
            name = f"s{len(self._subscribed)}"
            self._subscribed[name] = queue
            destination = f"/amq/queue/{queue}"
            self.write(
                frame(
                    "SUBSCRIBE",
                    id=name,
                    destination=destination,
                    ack="client-individual",
                    prefetch_count=str(PREFETCH),
                )
            )

    def _settle(self, chance: random.Random) -> None:
        for _ in range(chance.choice([1, 3])):
            if not self._held:
                return
            number = chance.choice(list(self._held))
            copy, _ = self._held.pop(number)
            if chance.random() < 0.7:
                self.write(frame("ACK", id=number), partial(self.was_settled, [copy]))
            else:
                self.write(frame("NACK", id=number), partial(self.ledger.returned, [copy]))

    def _transact(self, chance: random.Random) -> None:
        transaction = Transaction(f"{self.name}.{self.connections}.{len(self.ledger.messages)}")
        name = f"x{len(self.ledger.messages)}"
        self.write(frame("BEGIN", transaction=name))
        for _ in range(chance.choice([1, 2, 4])):
            message, headers = self._new(chance, transaction.name)
            transaction.published += message.copies.values()
            self.write(self._frame_of(message, {**headers, "transaction": name}))
        if chance.random() < 0.2:
            self.write(frame("ABORT", transaction=name))
            return
        for number in list(self._held)[: chance.choice([0, 1, 2])]:
            copy, _ = self._held.pop(number)
            transaction.settled.append(copy)
            self.write(frame("ACK", id=number, transaction=name))
        receipt = self._next_receipt(transaction)
        self.write(frame("COMMIT", transaction=name, receipt=receipt), partial(self.was_committed, transaction))

    # What comes

    def parse(self, data: bytes) -> None:
        self._undecoded += data
        size = whole_size(self._undecoded)
        whole, self._undecoded = self._undecoded[:size], self._undecoded[size:]
        for answer in answers(whole):
            self._take(answer)

    def _take(self, answer: Answer) -> None:
        if answer.command == "MESSAGE":
            self._delivered(answer)
        elif answer.command == "RECEIPT":
            self._told(answer["receipt-id"])
        elif answer.command == "ERROR" and "shutdown" in answer["message"]:
            self.closing = True
        elif answer.command != "CONNECTED":
            raise Unexpected(f"{self.name} got {answer}")

    def _told(self, receipt: str) -> None:
        what = self._waiting.pop(receipt, None)
        self.world.trace(f"{self.name} got the receipt {receipt}")
        if isinstance(what, Transaction):
            self.ledger.transaction_known(what)
        elif what is None or not what.sent:
            raise Broken(f"{self.name} got the receipt {receipt} too early, or twice")
        else:
            self.ledger.confirmed(what)

    def _delivered(self, answer: Answer) -> None:
        if self._holder.over:
            return
        name = answer["subscription"]
        queue = self._subscribed[name]
        copy = self.ledger.delivered(
            queue, answer.body, self._holder, redelivered=answer.headers.get("redelivered") == "true"
        )
        self._held[answer["ack"]] = copy, name
        self.world.trace(f"{self.name} got {copy.message.number} of {queue}")
        out = sum(1 for _, each in self._held.values() if each == name)
        if out > PREFETCH:
            raise Broken(f"{self.name} has {out} messages of {name}, whose prefetch is {PREFETCH}")

    def over(self) -> None:
        self._holder.over = True


def whole_size(data: bytes) -> int:
    """How many bytes of what came are whole frames."""
    position = 0
    while True:
        at = position
        while data[at : at + 1] == b"\n":
            at += 1
        head_end = data.find(b"\n\n", at)
        if head_end < 0:
            return position
        length = None
        for line in data[at:head_end].split(b"\n"):
            if line.startswith(b"content-length:"):
                length = int(line[15:])
        end = data.find(b"\0", head_end + 2) if length is None else head_end + 2 + length
        if end < 0 or end >= len(data):
            return position
        position = end + 1
