"""Drives the topology of a virtual host and its model (`topology_model`) with the same random doings.

Exchanges of all types that a test can foretell, bindings between them, alternate exchanges by argument and by policy,
auto-delete; publishes that are plain, mandatory, confirmed or in transactions; refusals; the virtual host deleted and
made again; restarts and crashes.  After each doing both have the same exchanges, bindings, queues and messages, every
return came before its confirm, and nothing else came.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from tests.simulation.topology_model import Bound, ModelExchange, TopologyModel, TopologyQueue
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import CAPABILITIES, FRAME_MAX_BYTES, SimulatedClient, handshake_bytes
from warren.adapters.amqp091.codec import methods
from warren.core.messages.field_table import FieldTable
from warren.core.messages.properties import encode_properties
from warren.core.policies.policy import make_policy
from warren.core.routing.vhost import VirtualHost

VHOST = "v"
EXCHANGES = {
    "direct": "direct",
    "other": "direct",
    "fanout": "fanout",
    "topic": "topic",
    "headers": "headers",
    "consistent": "x-consistent-hash",
    "modulus": "x-modulus-hash",
    "chance": "x-random",
}
QUEUES = ("p", "q", "r", "s")
ROUTING_KEYS = ("", "a", "b", "a.b", "a.b.c", "p", "q")
BINDING_KEYS = (*ROUTING_KEYS, "#", "*", "a.*", "a.#", "#.c", "*.b.#")
PLAIN, CONFIRMING, TRANSACTIONAL = 1, 2, 3


class TopologySimulation:
    """One history: `step` as often as wanted.  `directory`: on disk, with restarts and crashes now and then."""

    def __init__(self, seed: int, directory: Path | None = None) -> None:
        self.chance = random.Random(seed)
        self.simulated = SimulatedBroker(directory)
        self.model = TopologyModel()
        self.history: list[str] = []
        self._bodies = 0
        self._published = self._confirmed = 0
        self._uncommitted: list[tuple[bytes, str, tuple[str, ...], Mapping[str, object], bool, bool]] = []
        self._make_vhost()
        self.doings: list[tuple[int, Callable[[], None]]] = [
            (20, self._publish),
            (8, self._commit),
            (3, self._rollback),
            (10, self._declare_exchange),
            (6, self._declare_queue),
            (22, self._bind),
            (7, self._unbind),
            (3, self._delete_exchange),
            (3, self._delete_queue),
            (4, self._purge),
            (4, self._policy),
            (3, self._refused_publish),
            (1, self._delete_vhost),
            (2, self._restart if directory is not None else self._publish),
        ]

    def step(self) -> None:
        """One random doing, and everything that follows from it."""
        [(_, doing)] = self.chance.choices(self.doings, [weight for weight, _ in self.doings])
        doing()
        self._compare()

    # The other side

    @property
    def vhost(self) -> VirtualHost:
        """The real one."""
        return self.simulated.broker.vhosts[VHOST]

    def _make_vhost(self) -> None:
        broker = self.simulated.broker
        broker.add_vhost(VHOST, {})
        broker.users.set_permissions("guest", VHOST, ".*", ".*", ".*")
        self._connect()

    def _connect(self) -> None:
        self.client: SimulatedClient = self.simulated.accept()
        self.client.send_bytes(
            handshake_bytes(
                heartbeat=0,
                frame_max=FRAME_MAX_BYTES,
                channel_max=100,
                capabilities=CAPABILITIES,
                user="guest",
                vhost=VHOST,
            )
        )
        self.client.take_methods()
        for channel in (PLAIN, CONFIRMING, TRANSACTIONAL):
            self.client.open(channel)
        self.client.confirm_select(CONFIRMING)
        self._call(methods.TxSelect(), methods.TxSelectOk, TRANSACTIONAL)
        self._published = self._confirmed = 0
        self._uncommitted = []

    def _call(self, method: methods.Method, answer: type[methods.Method], channel: int = PLAIN) -> None:
        self.client.send(channel, method)
        self.client.expect(answer, channel)

    def _refused(self, method: methods.Method | None, code: int) -> None:
        """The plain channel is closed with this code, and opened again."""
        if method is not None:
            self.client.send(PLAIN, method)
        closed = self.client.expect(methods.ChannelClose)
        assert closed.reply_code == code, closed
        self.client.send(PLAIN, methods.ChannelCloseOk())
        self.client.open(PLAIN)

    def _compare(self) -> None:
        self.simulated.settle()
        assert self.client.take_methods() == []
        vhost, model = self.vhost, self.model
        found = {name: each for name, each in vhost.exchanges.items() if not name.startswith("amq.")}
        assert set(found) == set(model.exchanges)
        bindings = {
            Bound(each.source, each.target.kind, each.target.name, each.routing_key, _pairs(each.arguments))
            for exchange in found.values()
            for each in exchange.bindings
        }
        assert bindings == set(model.bindings)
        assert set(vhost.queues) == set(model.queues)
        for name, queue in model.queues.items():
            bodies = [message.body for message in vhost.queue(name).browse(0, 1 << 30)]
            assert bodies == [body for body, _ in queue.ready], name

    # Topology

    def _declare_exchange(self) -> None:
        name = self.chance.choice(list(EXCHANGES))
        known = self.model.exchanges.get(name)
        made = known or ModelExchange(
            EXCHANGES[name],
            durable=self.chance.random() < 0.7,
            auto_delete=self.chance.random() < 0.3,
            internal=self.chance.random() < 0.15,
            alternate=self.chance.choice((None, None, *EXCHANGES)),
        )
        self.history.append(f"declare {name} {made}")
        arguments: FieldTable = {} if made.alternate is None else {"alternate-exchange": made.alternate}
        method = methods.ExchangeDeclare(
            exchange=name,
            type=made.type,
            durable=made.durable,
            auto_delete=made.auto_delete,
            internal=made.internal,
            arguments=arguments,
        )
        if known is not None and self.chance.random() < 0.3:
            self._refused(replace(method, durable=not made.durable), 406)
            return
        self._call(method, methods.ExchangeDeclareOk)
        self.model.exchanges[name] = made

    def _declare_queue(self) -> None:
        name = self.chance.choice(QUEUES)
        durable = name in ("p", "q")
        self.history.append(f"declare queue {name}")
        self.client.declare(name, durable=durable)
        self.model.queues.setdefault(name, TopologyQueue(durable))

    def _bind(self) -> None:
        bound = self._binding()
        self.history.append(f"bind {bound}")
        method = _bind_method(bound)
        if not self._ends_exist(bound):
            self._refused(method, 404)
            return
        self._call(method, methods.QueueBindOk if bound.kind == "queue" else methods.ExchangeBindOk)
        if bound not in self.model.bindings:
            self.model.bindings.append(bound)

    def _unbind(self) -> None:
        bindings = self.model.bindings
        bound = self.chance.choice(bindings) if bindings and self.chance.random() < 0.8 else self._binding()
        self.history.append(f"unbind {bound}")
        if bound.kind == "queue":
            self._call(
                methods.QueueUnbind(
                    queue=bound.destination,
                    exchange=bound.source,
                    routing_key=bound.key,
                    arguments=_table(bound),
                ),
                methods.QueueUnbindOk,
            )
        else:
            self._call(
                methods.ExchangeUnbind(
                    destination=bound.destination,
                    source=bound.source,
                    routing_key=bound.key,
                    arguments=_table(bound),
                ),
                methods.ExchangeUnbindOk,
            )
        if bound in bindings:
            self.model.unbind([bound])

    def _binding(self) -> Bound:
        chance = self.chance
        source = chance.choice(list(self.model.exchanges) or list(EXCHANGES))
        kind = chance.choice(("queue", "queue", "exchange"))
        destination = chance.choice(QUEUES if kind == "queue" else list(EXCHANGES))
        key = chance.choice(("1", "2") if EXCHANGES[source] == "x-consistent-hash" else BINDING_KEYS)
        arguments: tuple[tuple[str, object], ...] = ()
        if EXCHANGES[source] == "headers":
            headers = {name: chance.choice((1, 2)) for name in ("k", "l") if chance.random() < 0.6}
            arguments = _pairs({**headers, "x-match": chance.choice(("all", "any"))})
        return Bound(source, kind, destination, key, arguments)

    def _ends_exist(self, bound: Bound) -> bool:
        ends: Mapping[str, object] = self.model.queues if bound.kind == "queue" else self.model.exchanges
        return bound.source in self.model.exchanges and bound.destination in ends

    def _delete_exchange(self) -> None:
        name = self.chance.choice(list(EXCHANGES))
        if_unused = self.chance.random() < 0.5
        self.history.append(f"delete {name} {if_unused=}")
        method = methods.ExchangeDelete(exchange=name, if_unused=if_unused)
        if if_unused and any(each.source == name for each in self.model.bindings):
            self._refused(method, 406)
            return
        self._call(method, methods.ExchangeDeleteOk)
        if name in self.model.exchanges:
            self.model.delete_exchange(name)

    def _delete_queue(self) -> None:
        name = self.chance.choice(QUEUES)
        self.history.append(f"delete queue {name}")
        self._call(methods.QueueDelete(queue=name), methods.QueueDeleteOk)
        if name in self.model.queues:
            self.model.delete_queue(name)

    def _purge(self) -> None:
        if self.model.queues:
            name = self.chance.choice(list(self.model.queues))
            self.history.append(f"purge {name}")
            self._call(methods.QueuePurge(queue=name), methods.QueuePurgeOk)
            self.model.queues[name].ready.clear()

    def _policy(self) -> None:
        """An alternate exchange for one exchange, or none any more."""
        name = self.chance.choice(list(EXCHANGES))
        policies = self.simulated.broker.policies
        if name in self.model.alternates:
            self.history.append(f"clear policy of {name}")
            policies.clear(self.vhost, "policy", name)
            del self.model.alternates[name]
        else:
            alternate = self.chance.choice(list(EXCHANGES))
            self.history.append(f"policy of {name}: {alternate}")
            definition = {"alternate-exchange": alternate}
            policies.set(self.vhost, make_policy("policy", name, f"^{name}$", definition, 0, "exchanges"))
            self.model.alternates[name] = alternate

    # Publishing

    def _publish(self) -> None:
        usable = ["", *(name for name, each in self.model.exchanges.items() if not each.internal)]
        exchange = self.chance.choice(usable)
        copies = tuple(self.chance.choice(ROUTING_KEYS) for _ in range(self.chance.choice((0, 0, 0, 1, 2))))
        keys = (self.chance.choice(ROUTING_KEYS), *copies)
        headers = {name: self.chance.choice((1, 2)) for name in ("k", "l") if self.chance.random() < 0.5}
        channel = self.chance.choice((PLAIN, CONFIRMING, TRANSACTIONAL))
        mandatory, persistent = self.chance.random() < 0.4, self.chance.random() < 0.6
        self._bodies += 1
        body = b"%d" % self._bodies
        self.history.append(f"publish {body!r} to {exchange} {keys} {headers} {channel=} {mandatory=} {persistent=}")
        table: FieldTable = {**headers, **({self.chance.choice(("CC", "BCC")): list(copies)} if copies else {})}
        properties = encode_properties(headers=table or None, delivery_mode=2 if persistent else 1)
        self.client.publish(
            keys[0], body, exchange=exchange, properties=properties.raw, mandatory=mandatory, channel=channel
        )
        sent = (body, exchange, keys, headers, mandatory, persistent)
        if channel == TRANSACTIONAL:
            self._uncommitted.append(sent)
            return
        self.simulated.settle()
        returned = self._arrived(*sent)
        expected: list[methods.Method | None] = []
        if returned:
            expected.append(methods.BasicReturn(312, "NO_ROUTE", exchange, keys[0]))
        if channel == CONFIRMING:
            self._published += 1
            expected.append(methods.BasicAck(self._published, False))
        assert self.client.take_methods() == expected

    def _arrived(
        self,
        body: bytes,
        exchange: str,
        keys: tuple[str, ...],
        headers: Mapping[str, object],
        mandatory: bool,
        persistent: bool,
    ) -> bool:
        """Book where a message went, which must be possible; whether it has to come back."""
        went = frozenset(
            name
            for name, queue in self.vhost.queues.items()
            if body in [message.body for message in queue.browse(0, 1 << 30)]
        )
        gone = bool(exchange) and exchange not in self.model.exchanges
        possible = {frozenset[str]()} if gone else self.model.routes(exchange, keys, headers)
        assert went in possible, f"{body!r} went to {sorted(went)} instead of {possible}"
        for name in went:
            self.model.queues[name].ready.append((body, persistent))
        return mandatory and not went

    def _commit(self) -> None:
        self.history.append("commit")
        self.client.send(TRANSACTIONAL, methods.TxCommit())
        self.simulated.settle()
        expected: list[methods.Method | None] = []
        for sent in self._uncommitted:
            if self._arrived(*sent):
                expected.append(methods.BasicReturn(312, "NO_ROUTE", sent[1], sent[2][0]))
        self._uncommitted.clear()
        assert self.client.take_methods() == [*expected, methods.TxCommitOk()]

    def _rollback(self) -> None:
        self.history.append("rollback")
        self._call(methods.TxRollback(), methods.TxRollbackOk, TRANSACTIONAL)
        self._uncommitted.clear()

    def _refused_publish(self) -> None:
        """To an exchange that isn't there, or that only other exchanges may publish to."""
        name = self.chance.choice(list(EXCHANGES))
        known = self.model.exchanges.get(name)
        if known is None or known.internal:
            self.history.append(f"refused publish to {name}")
            self.client.publish("a", b"refused", exchange=name)
            self._refused(None, 404 if known is None else 403)

    # Ends

    def _delete_vhost(self) -> None:
        self.history.append("delete the virtual host")
        self.simulated.broker.delete_vhost(VHOST)
        self.simulated.settle()
        (closed,) = self.client.take_methods()
        assert isinstance(closed, methods.ConnectionClose)
        assert closed.reply_code == 320
        self.client.transport.lose()
        self.simulated.clients.remove(self.client)
        self.model = TopologyModel()
        self._make_vhost()

    def _restart(self) -> None:
        crash = self.chance.random() < 0.5
        self.history.append("crash" if crash else "restart")
        if crash:
            self.simulated.crash()
        else:
            self.simulated.restart()
        self.model.restart()
        self._connect()


def _pairs(arguments: Mapping[str, object]) -> tuple[tuple[str, object], ...]:
    return tuple(sorted(arguments.items()))


def _table(bound: Bound) -> FieldTable:
    return {name: value for name, value in bound.arguments if isinstance(value, int | str)}


def _bind_method(bound: Bound) -> methods.Method:
    if bound.kind == "queue":
        return methods.QueueBind(
            queue=bound.destination, exchange=bound.source, routing_key=bound.key, arguments=_table(bound)
        )
    return methods.ExchangeBind(
        destination=bound.destination, source=bound.source, routing_key=bound.key, arguments=_table(bound)
    )
