"""Drives a simulated broker and the model with the same random doings, and compares them after every step.

Clients of AMQP 0-9-1 are driven here, those of AMQP 1.0 by amqp10_driver.py, on the same queues.

One step is one command on one channel, after which the broker comes to rest and everything that arrived anywhere is
looked at: the answer, then deliveries, whose order among connections is found by asking the model whose turn it can
have been.  At rest, nobody may wait who could be served, and all counters have to agree.

Commits happen by themselves most of the time.  Now and then they are held up for some steps: then no stored publish may
be confirmed until one is done, and a crash throws away what came since the last.

Longer than 400 lines because every command of the protocol is a doing of its own, and all share one state.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.simulation.amqp10_driver import Amqp10Doings
from tests.simulation.amqp10_peer import Arrived
from tests.simulation.model import Model, ModelConsumer, Snapshot
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import NO_PROPERTIES, PERSISTENT, Event, SimulatedClient
from warren.adapters.amqp091.codec import methods
from warren.core.queues.backlog import USUAL_PAGING, Paging

CONNECTIONS = 3
CHANNELS = 2
QUEUES = ("a", "b", "c", "d")
KEYS = ("one", "two")
CONFIRMING = 2
"""The channel of this number confirms, on every connection."""

QUEUE_SHAPES = {"a": (True, False), "b": (True, False), "c": (False, False), "d": (False, True)}
"""Durable and auto-delete, by queue."""


class Simulation:
    """One run: `step` as often as wanted; `history` says what was done, for who looks at a failure."""

    def __init__(self, seed: int, directory: Path | None, *, restarts: bool, paging: Paging = USUAL_PAGING) -> None:
        self.chance = random.Random(seed)
        self.simulated = SimulatedBroker(directory, backlog_bytes_max=0, paging=paging)
        self.model = Model()
        self.history: list[str] = []
        self.clients: list[SimulatedClient] = []
        self._stored = directory is not None
        self._restarts = restarts
        self._published: dict[int, int] = {}
        self._confirmed: dict[int, int] = {}
        self._unflushed: dict[int, set[int]] = {}
        self._snapshot: Snapshot = {}
        self._returns: list[tuple[int, int, bytes]] = []
        self.amqp10 = Amqp10Doings(
            self.chance,
            self.simulated,
            self.model,
            self._do,
            CONNECTIONS,
            is_stored=self._stored,
            keys=KEYS,
            queues=QUEUES,
        )
        self._connect()
        self.doings: list[tuple[int, Callable[[], None]]] = [
            (30, self._publish),
            (8, self._consume),
            (14, self._ack),
            (8, self._nack),
            (4, self._reject),
            (6, self._get),
            (4, self._declare),
            (5, self._bind),
            (2, self._unbind),
            (2, self._purge),
            (1, self._delete),
            (3, self._cancel),
            (3, self._qos),
            (2, self._recover),
            (2, self._close_channel),
            (1, self._lose_connection),
            (2, self._unknown_tag),
            (1, self._missing_queue),
            (1, self._other_shape),
            (2, self._toggle_commits),
            (1, self._stop if restarts else self._purge),
            (1, self._crash if restarts else self._purge),
            *self.amqp10.doings,
        ]

    def _connect(self) -> None:
        self.clients = []
        for number in range(CONNECTIONS):
            self.clients.append(self.simulated.connect(channels=CHANNELS))
            self._set_up(number)
        self.amqp10.connect()

    def _set_up(self, connection: int) -> None:
        client = self.clients[connection]
        for channel in range(1, CHANNELS + 1):
            self.model.open((connection, channel))
        client.confirm_select(CONFIRMING)
        self._reset_confirms(connection)

    def _reset_confirms(self, connection: int) -> None:
        self._published[connection] = self._confirmed[connection] = 0
        self._unflushed[connection] = set()

    # One step

    def step(self) -> None:
        """One random doing, and everything that follows from it."""
        weights = [weight for weight, _ in self.doings]
        [(_, doing)] = self.chance.choices(self.doings, weights)
        doing()
        self._rest()
        if self.chance.random() < 0.05:
            self.simulated.maintain()

    def _do(self, what: str) -> None:
        self.history.append(what)

    def _rest(self) -> None:
        """Let the broker come to rest; compare what arrived and what it counts."""
        self.simulated.settle()
        if self.simulated.commits_by_itself:
            self._confirms_may_come()
        pending: list[list[Arrived]] = []
        for index, client in enumerate(self.clients):
            client.collect()
            events, client.events = client.events, []
            pending.append(
                [
                    self._arrived(index, event)
                    for event in events
                    if not self._is_confirm(index, event) and not self._is_return(index, event)
                ]
            )
        pending += self.amqp10.arrived()
        assert not self._returns, f"{self._returns} should have come back"
        got = self._match(pending)
        self.amqp10.check_rest()
        if self.simulated.commits_by_itself:
            self._snapshot = self.model.snapshot()
        self._check_turns(got)
        assert not self.model.starving(), f"{self.model.starving()} could be served"
        self._check_counts()
        self.simulated.check()

    def _match(self, pending: list[list[Arrived]]) -> Counter[tuple[int, int, str]]:
        """Bring the deliveries of all connections into an order that the model agrees with."""
        got: Counter[tuple[int, int, str]] = Counter()
        while any(pending):
            for events in pending:
                if events and self._is_possible(events[0]):
                    arrived = events.pop(0)
                    self.model.delivered(arrived.key, arrived.number, arrived.redelivered, arrived.body, arrived.note)
                    got[arrived.key] += 1
                    break
            else:
                raise AssertionError(f"nobody's turn fits: {pending}")
        return got

    def _arrived(self, index: int, event: Event) -> Arrived:
        method = event.method
        assert isinstance(method, methods.BasicDeliver), event
        key = (index, event.channel, method.consumer_tag)
        return Arrived(key, method.delivery_tag, method.redelivered, event.body)

    def _is_possible(self, arrived: Arrived) -> bool:
        assert arrived.key in self.model.consumers, f"a delivery to {arrived.key}, which is no consumer"
        ready = self.model.queues[self.model.consumers[arrived.key].queue].ready
        return bool(ready) and ready[0].body == arrived.body

    def _check_turns(self, got: Counter[tuple[int, int, str]]) -> None:
        """Consumers that have all the credit in the world get the same within one step."""
        for name in self.model.queues:
            keys = [key for key, consumer in self.model.consumers.items() if consumer.queue == name]
            free = [
                key
                for key in keys
                if not self.model.consumers[key].prefetch
                and self.model.consumers[key].link_credit is None
                and not self.model.global_limits[key[:2]]
            ]
            if len(free) == len(keys) and keys:
                counts = [got[key] for key in keys]
                assert max(counts) - min(counts) <= 1, f"unfair on {name}: {counts}"

    def _check_counts(self) -> None:
        rows = {str(row["name"]): row for row in self.simulated.broker.inspect("queues", "/")}
        assert set(rows) == set(self.model.queues)
        for name, queue in self.model.queues.items():
            row = rows[name]
            assert row["messages_ready"] == len(queue.ready), name
            assert row["message_bytes_ready"] == sum(len(entry.body) for entry in queue.ready), name
            assert row["messages_unacknowledged"] == len(self.model.held_of(name)), name
            consumers = sum(1 for consumer in self.model.consumers.values() if consumer.queue == name)
            assert row["consumers"] == consumers, name

    # Confirms and returns

    def _is_return(self, connection: int, event: Event) -> bool:
        if not isinstance(event.method, methods.BasicReturn):
            return False
        assert (event.method.reply_code, event.method.reply_text) == (312, "NO_ROUTE")
        self._returns.remove((connection, event.channel, event.body))
        return True

    def _is_confirm(self, connection: int, event: Event) -> bool:
        method = event.method
        if not isinstance(method, methods.BasicAck):
            return False
        assert event.channel == CONFIRMING
        before = self._confirmed[connection]
        assert before < method.delivery_tag <= self._published[connection]
        assert method.multiple == (method.delivery_tag - before > 1)
        early = {number for number in self._unflushed[connection] if number <= method.delivery_tag}
        assert not early, f"{early} confirmed before they are on disk"
        self._confirmed[connection] = method.delivery_tag
        return True

    def _confirms_may_come(self) -> None:
        for numbers in self._unflushed.values():
            numbers.clear()
        self.amqp10.flushed()

    def _toggle_commits(self) -> None:
        simulated = self.simulated
        if not self._stored:
            return
        if simulated.commits_by_itself:
            self._do("hold commits up")
            simulated.commits_by_itself = False
        elif self.chance.random() < 0.5:
            self._do("one commit")
            simulated.begin_commit()
            self._snapshot = self.model.snapshot()
            self._confirms_may_come()
            simulated.finish_commit()
        else:
            self._do("commit again")
            simulated.commits_by_itself = True

    # Choices

    def _channel(self) -> tuple[int, int]:
        return self.chance.randrange(CONNECTIONS), self.chance.randint(1, CHANNELS)

    def _queue(self) -> str | None:
        return self.chance.choice(sorted(self.model.queues)) if self.model.queues else None

    def _channel_holding(self) -> tuple[int, int] | None:
        holding = [channel for channel, held in self.model.held.items() if held and channel[0] < CONNECTIONS]
        return self.chance.choice(holding) if holding else None

    def _call(self, channel: tuple[int, int], method: methods.Method, answer: type[methods.Method]) -> methods.Method:
        """Send, and take the answer out of what arrives."""
        client = self.clients[channel[0]]
        client.send(channel[1], method)
        return client.expect(answer, channel[1])

    # Topology

    def _declare(self) -> None:
        name = self.chance.choice(QUEUES)
        durable, auto_delete = QUEUE_SHAPES[name]
        channel = self._channel()
        self._do(f"{channel} declare {name}")
        existed = len(self.model.queues[name].ready) if name in self.model.queues else 0
        answer = self._call(
            channel,
            methods.QueueDeclare(queue=name, durable=durable, auto_delete=auto_delete),
            methods.QueueDeclareOk,
        )
        assert self.model.declare(name, durable=durable, auto_delete=auto_delete)
        assert isinstance(answer, methods.QueueDeclareOk)
        assert answer.message_count == existed

    def _delete(self) -> None:
        name = self.chance.choice(QUEUES)
        channel = self._channel()
        self._do(f"{channel} delete {name}")
        queue = self.model.queues.get(name)
        answer = self._call(channel, methods.QueueDelete(queue=name), methods.QueueDeleteOk)
        assert isinstance(answer, methods.QueueDeleteOk)
        assert answer.message_count == (len(queue.ready) if queue else 0), answer
        gone = self.model.delete(name)
        self.amqp10.queue_is_gone([key for key in gone if key[0] in self.amqp10.numbers])
        for connection, number, tag in gone:
            if connection in self.amqp10.numbers:
                continue
            notice = Event(number, methods.BasicCancel(tag, nowait=True))
            self.clients[connection].collect()
            self.clients[connection].events.remove(notice)

    def _bind(self) -> None:
        name = self._queue()
        if name is None:
            return
        key = self.chance.choice(KEYS)
        channel = self._channel()
        self._do(f"{channel} bind {name} by {key}")
        self._call(channel, methods.QueueBind(queue=name, exchange="amq.direct", routing_key=key), methods.QueueBindOk)
        self.model.bindings.add((key, name))

    def _unbind(self) -> None:
        name = self._queue()
        if name is None:
            return
        key = self.chance.choice(KEYS)
        channel = self._channel()
        self._do(f"{channel} unbind {name} by {key}")
        self._call(
            channel, methods.QueueUnbind(queue=name, exchange="amq.direct", routing_key=key), methods.QueueUnbindOk
        )
        self.model.bindings.discard((key, name))

    def _purge(self) -> None:
        name = self._queue()
        if name is None:
            return
        channel = self._channel()
        self._do(f"{channel} purge {name}")
        answer = self._call(channel, methods.QueuePurge(queue=name), methods.QueuePurgeOk)
        assert isinstance(answer, methods.QueuePurgeOk)
        ready = self.model.queues[name].ready
        assert answer.message_count == len(ready)
        ready.clear()

    # Publishing and consuming

    def _publish(self) -> None:
        connection, channel = self._channel()
        client = self.clients[connection]
        exchange = self.chance.choice(["", "amq.direct"])
        key = self.chance.choice(KEYS if exchange else QUEUES)
        for _ in range(self.chance.choice([1, 1, 2, 5, 12])):
            persistent = self.chance.random() < 0.6
            mandatory = self.chance.random() < 0.3
            size = self.chance.choice([0, 1, 20, 300, 5000])
            body = b"%d." % self.model.number + b"x" * size
            properties = PERSISTENT if persistent else NO_PROPERTIES
            self._do(f"{connection}.{channel} publish {body[:8]!r} to {exchange}/{key} {persistent=} {mandatory=}")
            client.publish(key, body, exchange=exchange, properties=properties, mandatory=mandatory, channel=channel)
            names = [name for name in self.model.targets(exchange, key) if self.model.queues[name].durable]
            entries = self.model.publish(exchange, key, body, persistent=persistent)
            if channel == CONFIRMING:
                self._published[connection] += 1
                if persistent and names and self._stored:
                    self._unflushed[connection].add(self._published[connection])
            if mandatory and not entries:
                self._returns.append((connection, channel, body))

    def _consume(self) -> None:
        name = self._queue()
        if name is None:
            return
        channel = self._channel()
        tag = f"t{len(self.history)}"
        no_ack = self.chance.random() < 0.25
        prefetch = self.chance.choice([0, 0, 1, 3, 10])
        self._do(f"{channel} consume {name} as {tag} {no_ack=} {prefetch=}")
        self._call(channel, methods.BasicQos(0, prefetch, False), methods.BasicQosOk)
        self._call(
            channel,
            methods.BasicConsume(queue=name, consumer_tag=tag, no_ack=no_ack),
            methods.BasicConsumeOk,
        )
        self.model.consumers[(*channel, tag)] = ModelConsumer(name, channel, prefetch, no_ack)

    def _cancel(self) -> None:
        keys = sorted(key for key in self.model.consumers if key[0] < CONNECTIONS)
        if not keys:
            return
        key = self.chance.choice(keys)
        self._do(f"cancel {key}")
        self._call(key[:2], methods.BasicCancel(key[2]), methods.BasicCancelOk)
        self.model.cancel(key)

    def _qos(self) -> None:
        channel = self._channel()
        limit = self.chance.choice([0, 0, 1, 4])
        self._do(f"{channel} global limit {limit}")
        self.model.global_limits[channel] = limit
        self._call(channel, methods.BasicQos(0, limit, True), methods.BasicQosOk)

    def _get(self) -> None:
        name = self._queue()
        if name is None:
            return
        channel = self._channel()
        no_ack = self.chance.random() < 0.3
        self._do(f"{channel} get from {name} {no_ack=}")
        client = self.clients[channel[0]]
        event = client.get(name, no_ack=no_ack, channel=channel[1])
        if event is None:
            assert not self.model.queues[name].ready
            return
        assert isinstance(event.method, methods.BasicGetOk)
        method = event.method
        self.model.got(channel, name, method.delivery_tag, method.redelivered, event.body, no_ack)
        assert method.message_count == len(self.model.queues[name].ready)

    # Settling

    def _ack(self) -> None:
        channel = self._channel_holding()
        if channel is None:
            return
        for _ in range(self.chance.choice([1, 3])):
            if self.model.held[channel]:
                number = self.chance.choice(list(self.model.held[channel]))
                multiple = self.chance.random() < 0.25
                if multiple and self.chance.random() < 0.2:
                    number = 0
                self._do(f"{channel} ack {number} {multiple=}")
                self.clients[channel[0]].ack(number, multiple=multiple, channel=channel[1])
                assert self.model.settle(channel, number, multiple=multiple, requeue=False)

    def _nack(self) -> None:
        channel = self._channel_holding()
        if channel is None:
            return
        number = self.chance.choice(list(self.model.held[channel]))
        multiple = self.chance.random() < 0.3
        requeue = self.chance.random() < 0.8
        self._do(f"{channel} nack {number} {multiple=} {requeue=}")
        self.clients[channel[0]].nack(number, multiple=multiple, requeue=requeue, channel=channel[1])
        assert self.model.settle(channel, number, multiple=multiple, requeue=requeue)

    def _reject(self) -> None:
        channel = self._channel_holding()
        if channel is None:
            return
        number = self.chance.choice(list(self.model.held[channel]))
        requeue = self.chance.random() < 0.5
        self._do(f"{channel} reject {number} {requeue=}")
        self.clients[channel[0]].send(channel[1], methods.BasicReject(number, requeue))
        assert self.model.settle(channel, number, multiple=False, requeue=requeue)

    def _recover(self) -> None:
        channel = self._channel()
        self._do(f"{channel} recover")
        self._call(channel, methods.BasicRecover(requeue=True), methods.BasicRecoverOk)
        self.model.recover(channel)

    # Ends and errors

    def _close_channel(self) -> None:
        channel = self._channel()
        self._do(f"{channel} close")
        self._call(channel, methods.ChannelClose(200), methods.ChannelCloseOk)
        self._channel_ended(channel)

    def _channel_ended(self, channel: tuple[int, int]) -> None:
        connection, number = channel
        self.model.close(channel)
        self._rest_without(channel)
        self.model.open(channel)
        self.clients[connection].open(number)
        if number == CONFIRMING:
            self.clients[connection].confirm_select(number)
            self._reset_confirms(connection)

    def _rest_without(self, channel: tuple[int, int]) -> None:
        """Nothing more may come on a channel that ended."""
        del self.model.held[channel]
        self._rest()

    def _refused(self, channel: tuple[int, int], method: methods.Method, code: int) -> None:
        answer = self._call(channel, method, methods.ChannelClose)
        assert isinstance(answer, methods.ChannelClose)
        assert answer.reply_code == code, answer
        self.clients[channel[0]].send(channel[1], methods.ChannelCloseOk())
        self._channel_ended(channel)

    def _unknown_tag(self) -> None:
        channel = self._channel()
        number = self.model.next_tags[channel] + self.chance.randint(1, 3)
        self._do(f"{channel} ack of unknown {number}")
        self._refused(channel, methods.BasicAck(number, self.chance.random() < 0.5), 406)

    def _missing_queue(self) -> None:
        channel = self._channel()
        self._do(f"{channel} get from nowhere")
        self._refused(channel, methods.BasicGet(queue="nowhere"), 404)

    def _other_shape(self) -> None:
        name = self._queue()
        if name is None:
            return
        channel = self._channel()
        durable, auto_delete = QUEUE_SHAPES[name]
        self._do(f"{channel} declare {name} differently")
        self._refused(channel, methods.QueueDeclare(queue=name, durable=not durable, auto_delete=auto_delete), 406)

    def _lose_connection(self) -> None:
        connection = self.chance.randrange(CONNECTIONS)
        self._do(f"connection {connection} is lost")
        self.clients[connection].collect()
        self.clients[connection].transport.lose()
        for number in range(1, CHANNELS + 1):
            self.model.close((connection, number))
            del self.model.held[connection, number]
        self.clients[connection] = self.simulated.connect(channels=CHANNELS)
        self._set_up(connection)

    def _stop(self) -> None:
        self._do("clean restart")
        self.simulated.commits_by_itself = True
        self.simulated.restart()
        self.model.stop()
        self._connect()

    def _crash(self) -> None:
        self._do("crash")
        self.simulated.crash()
        self.simulated.commits_by_itself = True
        self.model.crash(self._snapshot)
        self._connect()
