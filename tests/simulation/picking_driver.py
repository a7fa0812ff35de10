"""Drives a queue whose consumers have selectors, or whose messages are grouped, and holds every delivery against rules.

There is no second queue beside it: what is said is what must be so at each delivery, and at rest.

    at a delivery    the consumer wants the message; nothing that it could have had, of the same level, is older; nobody
                     of a higher priority with room wants it; all of its group that is out is with that consumer
    at rest          nobody with room is left without a message that is for him, and what is ready stands in order
    in the end       who wants everything gets everything that hasn't expired

Longer than 400 lines because each doing is drawn, done and noted in one place.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support import core_clients
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer
from warren.core.declaring.queues import end_consumer
from warren.core.messages.address import Address
from warren.core.messages.field_table import Encodable, FieldValue
from warren.core.messages.message import Message
from warren.core.messages.properties import encode_properties
from warren.core.queues.answer import Polled
from warren.core.queues.backlog import USUAL_PAGING, Paging
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.queues.classic.turns_of_classes import URGENT_FROM

COLORS: Final = ("red", "green", "blue")
SIZES: Final = range(4)
GROUPS: Final = ("a", "b", "c", "d", None)
LEVELS: Final = 3


@dataclass(eq=False)
class Item:
    """A message as it was published.  number: its place.  due_ms: when it expires; None for never."""

    number: int
    color: str
    size: int
    group: str | None
    priority: int
    due_ms: int | None
    returns: int = 0

    @property
    def body(self) -> bytes:
        """It says which it is."""
        return b"%d" % self.number


SELECTORS: Final[tuple[tuple[str, Callable[[Item], bool]], ...]] = (
    ("", lambda item: True),
    ("color = 'red'", lambda item: item.color == "red"),
    ("color IN ('red', 'green') AND size > 1", lambda item: item.color in ("red", "green") and item.size > 1),
    ("size < 1 OR color = 'blue'", lambda item: item.size < 1 or item.color == "blue"),
    ("color = 'pink'", lambda item: False),
)


class Taker(SimulatedConsumer):
    """A consumer that has each delivery looked at."""

    __slots__ = ("deliver_to", "wants")

    deliver_to: Callable[[Taker, Message, bool], None]
    wants: Callable[[Item], bool]

    def deliver(self, message: Message, redelivered: bool) -> bool:
        self.deliver_to(self, message, redelivered)
        return super().deliver(message, redelivered)


class PickingSimulation:
    """One history: `step` as often as wanted, then `finish`.  directory: on disk, with restarts and crashes."""

    def __init__(
        self, seed: int, directory: Path | None = None, *, grouped: bool, paging: Paging = USUAL_PAGING
    ) -> None:
        self.chance = chance = random.Random(seed)
        self.simulated = SimulatedBroker(directory, backlog_bytes_max=0, paging=paging)
        self.history: list[str] = []
        self.grouped = grouped
        self.by_header = chance.random() < 0.7
        self.quorum = chance.random() < 0.4
        self.single = chance.random() < 0.15
        self.levels = 0 if grouped or self.quorum or chance.random() < 0.6 else LEVELS
        self.ttl = 50 if chance.random() < 0.3 else None
        self.max_length = 12 if chance.random() < 0.2 and not self.levels and not self.quorum else None
        self.steps_max = chance.choice((None, 2, 30))
        self.queue = self._declare()
        self.takers: list[Taker] = []
        self.ready: dict[bytes, Item] = {}
        self.out: dict[bytes, tuple[Item, Taker | None, Message]] = {}
        self.delivered_count = 0
        self._numbers = 0
        self._doings: list[tuple[int, Callable[[], None]]] = [
            (30, self._publish),
            (10, self._consume),
            (5, self._cancel),
            (14, self._credit),
            (14, self._ack),
            (8, self._requeue),
            (4, self._return_in_parts),
            (5, self._discard),
            (5, self._get),
            (4, self._advance),
            (1, self._purge),
            (1, self._restart if directory is not None else self._advance),
            (1, self._crash if directory is not None else self._advance),
        ]

    def _declare(self) -> ClassicQueue:
        arguments: dict[str, Encodable] = {"x-queue-type": "quorum", "x-delivery-limit": -1} if self.quorum else {}
        if self.grouped:
            arguments["x-group-by"] = "header:group" if self.by_header else "routing-key"
        if self.levels:
            arguments["x-max-priority"] = self.levels
        if self.ttl is not None:
            arguments["x-message-ttl"] = self.ttl
        if self.max_length is not None:
            arguments["x-max-length"] = self.max_length
        if self.single:
            arguments["x-single-active-consumer"] = True
        queue = core_clients.queue(self.simulated, "q", arguments, durable=True)
        assert isinstance(queue, ClassicQueue)
        self.history.append(f"declared {arguments}")
        return queue

    def step(self) -> None:
        """One random doing, and everything that follows from it."""
        weights = [weight for weight, _ in self._doings]
        [(_, doing)] = self.chance.choices(self._doings, weights)
        if self.queue.picking is not None and self.steps_max is not None:
            # Searches are cut short again and again.
            self.queue.picking.steps_max = self.steps_max
        doing()
        self._rest()

    def finish(self) -> None:
        """Whoever wants everything gets everything."""
        for taker in self.takers:
            end_consumer(taker)
        self.takers.clear()
        self._return(list(self.out.values()))
        self._rest()
        self._consume(everything=True)
        self._rest()
        for item, _, message in list(self.out.values()):
            self.queue.acknowledge(message)
            del self.out[item.body]
        self._rest()
        assert not self.queue.unacked_count
        assert not self.queue.ready_count
        assert not [item for item in self.ready.values() if not self._may_be_gone(item)]

    # What has to be so

    def _delivered(self, taker: Taker, message: Message, redelivered: bool) -> None:
        self.delivered_count += 1
        item = self.ready.get(message.body)
        assert item is not None, f"{message.body!r} isn't ready"
        self._check_next(item, taker)
        assert redelivered is bool(item.returns), "the redelivered flag"
        for other in self.takers:
            if other.priority > taker.priority and other.credit > 0 and self._is_active(other):
                assert not self._could_have(item, other), f"{item} is for {other.tag}, whose priority is higher"
        del self.ready[item.body]
        if not taker.no_ack:
            self.out[item.body] = (item, taker, message)

    def _check_next(self, item: Item, taker: Taker | None) -> None:
        """It is right that he gets this one."""
        assert not self._is_late(item), f"{item} has expired"
        assert self._could_have(item, taker), f"{item} isn't for {'who polls' if taker is None else taker.tag}"
        level = self._level(item)
        for other in self.ready.values():
            if other is not item and not self._is_late(other) and self._could_have(other, taker):
                assert self._level(other) <= level or self.quorum, f"{other} comes before {item}"
                assert self._level(other) != level or other.number > item.number, f"{other} comes before {item}"

    def _could_have(self, item: Item, taker: Taker | None) -> bool:
        if taker is not None and not taker.wants(item):
            return False
        group = self._group(item)
        if group is None:
            return True
        for other, holder, _ in self.out.values():
            if self._group(other) == group and (holder is not taker or taker is None):
                return False
        return not any(
            self._group(other) == group and other.number < item.number and not self._is_late(other)
            for other in self.ready.values()
        )

    def _group(self, item: Item) -> str | None:
        return item.group if self.grouped else None

    def _is_active(self, taker: Taker) -> bool:
        return self.queue.is_active(taker)

    def _level(self, item: Item) -> int:
        if self.quorum:
            return int(item.priority >= URGENT_FROM) if not self.grouped else 0
        return min(item.priority, self.levels)

    def _is_late(self, item: Item) -> bool:
        return item.due_ms is not None and item.due_ms <= self.simulated.broker.now_ms

    def _may_be_gone(self, item: Item) -> bool:
        return self._is_late(item) or self.max_length is not None

    def _rest(self) -> None:
        self.simulated.settle()
        shown = [message.body for message in self.queue.browse(0, 10_000)]
        assert len(shown) == self.queue.ready_count
        gone = [item for body, item in self.ready.items() if body not in set(shown)]
        for item in gone:
            assert self._may_be_gone(item), f"{item} has vanished"
            if not self._is_late(item):
                younger = [each for each in shown if self.ready[each].number > item.number]
                assert len(younger) == len(shown), f"{item} was dropped, which isn't the oldest"
            del self.ready[item.body]
        in_order = sorted(self.ready.values(), key=lambda item: (-self._level(item), item.number))
        assert shown == [item.body for item in in_order]
        assert self.queue.ready_bytes == sum(map(len, shown))
        assert self.queue.unacked_count == len(self.out)
        for taker in self.takers:
            if taker.credit > 0 and self._is_active(taker):
                for item in self.ready.values():
                    assert self._is_late(item) or not self._could_have(item, taker), f"{item} waits for {taker.tag}"

    # Doings

    def _publish(self) -> None:
        broker = self.simulated.broker
        for _ in range(self.chance.randint(1, 6)):
            self._numbers += 1
            item = Item(
                self._numbers,
                self.chance.choice(COLORS),
                self.chance.choice(SIZES),
                self.chance.choice(GROUPS),
                self.chance.choice((0, 0, 1, 7)),
                None if self.ttl is None else broker.now_ms + self.ttl,
            )
            self.history.append(f"publish {item}")
            headers: dict[str, Encodable] = {"color": item.color, "size": item.size}
            key = "q"
            if item.group is not None and self.by_header:
                headers["group"] = item.group
            elif not self.by_header:
                key = item.group or ""
            properties = encode_properties(headers=headers, priority=item.priority, delivery_mode=2)
            message = Message(
                broker.next_sequence(), Address("", key), properties, item.body, 0, len(item.body), 0, broker.now_ms
            )
            self.ready[item.body] = item
            broker.store.append(message, (self.queue.store_id,))
            self.queue.append(message)

    def _consume(self, *, everything: bool = False) -> None:
        text, wants = SELECTORS[0] if everything or self.grouped else self.chance.choice(SELECTORS)
        arguments: dict[str, FieldValue] = {"x-filter": text} if text else {}
        if self.chance.random() < 0.2 and not (self.single and self.quorum):
            # Else it would wait until the active one has nothing any more.
            arguments["x-priority"] = self.chance.choice((1, 5, -1))
        no_ack = self.chance.random() < 0.1
        credit = 10_000 if everything else self.chance.randint(0, 4)
        taker = Taker(self.queue, credit=credit, no_ack=no_ack, tag=f"t{len(self.history)}", arguments=arguments)
        taker.deliver_to, taker.wants = self._delivered, wants
        self.takers.append(taker)
        self.history.append(f"consume {taker.tag} {arguments} {credit} {'no_ack' if no_ack else ''}")
        self.queue.add_consumer(taker)

    def _cancel(self) -> None:
        if not self.takers:
            return
        taker = self.takers.pop(self.chance.randrange(len(self.takers)))
        self.history.append(f"cancel {taker.tag}")
        end_consumer(taker)
        if self.chance.random() < 0.7:
            self._return([each for each in self.out.values() if each[1] is taker])

    def _credit(self) -> None:
        if self.takers:
            taker = self.chance.choice(self.takers)
            self.history.append(f"credit {taker.tag}")
            taker.give(self.chance.randint(1, 3))

    def _some_out(self) -> list[tuple[Item, Taker | None, Message]]:
        found = list(self.out.values())
        if not found:
            return []
        holder = self.chance.choice(found)[1]
        own = [each for each in found if each[1] is holder]
        return self.chance.sample(own, self.chance.randint(1, len(own)))

    def _ack(self) -> None:
        for item, taker, message in self._some_out():
            self.history.append(f"ack {item.number}")
            del self.out[item.body]
            self.queue.acknowledge(message)
            if taker is not None and taker in self.takers:
                taker.give(1)

    def _discard(self) -> None:
        for item, _, message in self._some_out():
            self.history.append(f"discard {item.number}")
            del self.out[item.body]
            self.queue.discard(message)

    def _requeue(self) -> None:
        self._return(self._some_out())

    def _return(self, some: list[tuple[Item, Taker | None, Message]]) -> None:
        self.history.append(f"requeue {[item.number for item, _, _ in some]}")
        self.queue.requeue([message for _, _, message in some])
        self._came_back(some)

    def _came_back(self, some: list[tuple[Item, Taker | None, Message]]) -> None:
        for item, _, _ in some:
            item.returns += 1
            del self.out[item.body]
            self.ready[item.body] = item

    def _return_in_parts(self) -> None:
        """As a channel's end with very many deliveries does."""
        some = self._some_out()
        self.history.append(f"requeue in parts {[item.number for item, _, _ in some]}")
        returning = self.queue.begin_return()
        for part in (some[::2], some[1::2]):
            returning.take([message for _, _, message in part], failed=True)
            self.simulated.settle()
        while returning.finish_some():
            self.simulated.settle()
        self._came_back(some)
        returning.end()

    def _get(self) -> None:
        if self.single:
            return
        polled: list[Polled] = []

        def answer(found: object) -> None:
            assert found is None or isinstance(found, tuple), found
            polled.append(found)

        self.queue.get(answer, no_ack=False)
        self.simulated.settle()
        [found] = polled
        self.history.append(f"get {None if found is None else found[0].body!r}")
        if found is None:
            for item in self.ready.values():
                assert self._is_late(item) or not self._could_have(item, None), f"{item} is to be had"
            return
        item = self.ready[found[0].body]
        self._check_next(item, None)
        del self.ready[item.body]
        self.out[item.body] = (item, None, found[0])

    def _advance(self) -> None:
        self.history.append("advance")
        self.simulated.advance(self.chance.choice((1, 20, 60)))

    def _purge(self) -> None:
        self.history.append("purge")
        self.queue.drop_ready()
        self.ready.clear()

    def _restart(self) -> None:
        for taker in self.takers:
            end_consumer(taker)
        self.takers.clear()
        self._return(list(self.out.values()))
        self._rest()
        self.history.append("restart")
        self.simulated.restart()
        self.queue = self.simulated.queue("q")
        self._mark_returned()

    def _crash(self) -> None:
        self.history.append("crash")
        self.simulated.settle()
        self.simulated.crash()
        self.queue = self.simulated.queue("q")
        self.takers.clear()
        for item, _, _ in self.out.values():
            self.ready[item.body] = item
        self.out.clear()
        self._mark_returned()

    def _mark_returned(self) -> None:
        """Up to some place, all that is ready counts as delivered before."""
        flags = {message.body: self.queue.was_delivered(message) for message in self.queue.browse(0, 10_000)}
        for body, item in self.ready.items():
            assert flags.get(body, True) or not item.returns, f"{item} was delivered before"
            item.returns = int(flags.get(body, bool(item.returns)))
