"""A whole broker without Trio, sockets, threads or a clock, driven step by step.

`settle` is what the gateway does at the end of a batch: it ends the broker's turn, and commits;
with `commits_by_itself` off, commits wait for `begin_commit` and `finish_commit`, so that a test can look at what
happens between them.  `advance` moves the time.  With a directory, messages are on a real DiskEngine and survive
`restart` (clean) and `crash` (what was not committed is gone); definitions are rows in memory that outlive the broker.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.simulated_client import FRAME_MAX_BYTES, SimulatedClient
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.amqp091.connection import Connection
from warren.adapters.amqp091.settings import Amqp091Settings
from warren.adapters.amqp10.records import RecordForm
from warren.adapters.mqtt.sessions.names import TopicNames
from warren.adapters.mqtt.sessions.place import world_of
from warren.adapters.mqtt.sessions.settings import QueueLimits
from warren.adapters.mqtt.sessions.world import MqttWorld
from warren.core.access.users import Users
from warren.core.broker import Broker
from warren.core.queues.backlog import USUAL_PAGING, Paging
from warren.core.queues.base import Queue
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.routing.vhost import VirtualHost
from warren.core.settings import BACKLOG_BYTES_MAX
from warren.core.storage.commit import Commit
from warren.core.storage.definitions.memory import MemoryDefinitionStore
from warren.core.storage.definitions.store import DefinitionStore
from warren.core.storage.disk.engine import DiskEngine
from warren.core.storage.engine import StorageEngine
from warren.core.storage.memory import MemoryEngine
from warren.core.storage.recovery import finish_chores, note_clean_stop, recover
from warren.core.streams.form import use_form

if TYPE_CHECKING:
    from tests.support.simulated_amqp10 import Amqp10Client

START_MS = 1_700_000_000_000
TURNS_MAX = 10_000
"""So often `settle` ends the broker's turn before it says that the broker never comes to rest."""

SEGMENT_BYTES_MAX = 64 * 1024
"""Small, so that a few hundred messages go through several segments."""


use_form(RecordForm)


class SimulatedBroker:
    """See the head of this file.  `directory`: None for a MemoryEngine.  `mqtt_names`: what the next start reads.

    peers: clients of AMQP 1.0 that `check` and `restart` are to know of.
    """

    broker: Broker

    def __init__(
        self,
        directory: Path | None = None,
        *,
        settings: Amqp091Settings | None = None,
        backlog_bytes_max: int = BACKLOG_BYTES_MAX,
        paging: Paging = USUAL_PAGING,
        mqtt_limits: QueueLimits | None = None,
        definitions: DefinitionStore | None = None,
    ) -> None:
        self.settings = settings or Amqp091Settings()
        self.commits_by_itself = True
        self.clients: list[SimulatedClient] = []
        self.peers: list[Amqp10Client] = []
        self._directory = directory
        self._backlog_bytes_max = backlog_bytes_max
        self._paging = paging
        self._mqtt_limits = mqtt_limits
        self.mqtt_names: TopicNames | None = None
        self._definitions = definitions or MemoryDefinitionStore()
        self._now_ms = START_MS
        self._next_port = 50_000
        self._commits: list[Commit] = []
        self._start()

    def _start(self) -> None:
        store: StorageEngine = MemoryEngine()
        if self._directory is not None:
            store = DiskEngine(self._directory, segment_bytes_max=SEGMENT_BYTES_MAX, allocation_step=4096)
        self.broker = Broker(
            store,
            self._definitions,
            Users(self._definitions, frozenset({"guest"})),
            now_ms=self._now_ms,
            backlog_bytes_max=self._backlog_bytes_max,
            paging=self._paging,
            components={"mqtt": partial(MqttWorld, limits=self._mqtt_limits, names=self.mqtt_names)},
        )
        recover(self.broker, default_user="guest", default_password="guest", default_vhost="/")
        self._own_timers = len(self.broker.deadlines)

    @property
    def timers(self) -> int:
        """Deadlines beside those that the broker has when nobody is connected."""
        return len(self.broker.deadlines) - self._own_timers

    @property
    def mqtt(self) -> MqttWorld:
        """The MQTT side of the broker."""
        return world_of(self.broker)

    @property
    def vhost(self) -> VirtualHost:
        """The virtual host "/"."""
        return self.broker.vhosts["/"]

    def queue(self, name: str) -> ClassicQueue:
        """The classic queue of this name."""
        queue = self.vhost.queue(name)
        assert isinstance(queue, ClassicQueue)
        return queue

    # Connections

    def accept(self, peer_host: str = "127.0.0.1") -> SimulatedClient:
        """A connection that has said nothing yet."""
        self._next_port += 1
        transport = SimulatedTransport(peer_host, self._next_port)
        transport.unkept = self.broker.unkept
        connection = Connection(self.broker, transport, self.settings)
        transport.session = connection
        transport.outbox = connection.outbox
        client = SimulatedClient(self, transport, connection)
        self.clients.append(client)
        return client

    def connect(self, channels: int = 1, frame_max: int = FRAME_MAX_BYTES) -> SimulatedClient:
        """An open connection with the channels 1 to `channels`."""
        client = self.accept()
        client.handshake(frame_max=frame_max)
        for number in range(1, channels + 1):
            client.open(number)
        return client

    # Turns

    def settle(self) -> None:
        """Dispatch, send and commit until nothing is left to do."""
        broker = self.broker
        for _ in range(TURNS_MAX):
            if broker.end_turn():
                continue
            if not self.commits_by_itself or not broker.commit_wanted:
                return
            self.begin_commit()
            self.finish_commit()
        raise AssertionError("the broker never comes to rest")

    def begin_commit(self) -> None:
        """Take what waits for the disk; it is written at once, but not booked."""
        commit = self.broker.begin_commit()
        commit.write()
        self._commits.append(commit)

    def finish_commit(self) -> None:
        """Book the oldest commit."""
        self.broker.finish_commit(self._commits.pop(0))

    def maintain(self) -> None:
        """Run the store's maintenance until there is none."""
        store = self.broker.store
        for _ in range(TURNS_MAX):
            job = store.begin_maintenance()
            if job is None:
                return
            job.write()
            store.finish_maintenance(job)
        raise AssertionError("the store never has enough of maintenance")

    def advance(self, milliseconds: int) -> None:
        """Let time pass in one step, then settle."""
        self._now_ms += milliseconds
        self.broker.advance(self._now_ms)
        self.settle()

    def sleep(self, milliseconds: int) -> None:
        """Let time pass while the broker is down: to be called by `meanwhile`."""
        self._now_ms += milliseconds

    # Ends

    def restart(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Stop in good order and start again; connections are closed with 320.  `meanwhile`: called in between."""
        for session in list(self.broker.sessions):
            session.force_close("broker forced connection closure with reason 'shutdown'")
        self.settle()
        for transport in self._transports():
            transport.lose()
        self.settle()
        finish_chores(self.broker)
        if self.broker.commit_wanted:
            self.begin_commit()
            self.finish_commit()
        note_clean_stop(self.broker)
        self._end()
        meanwhile()
        self._start()

    def crash(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Start again from what has been committed, as after kill -9.  `meanwhile`: called in between."""
        self._end()
        meanwhile()
        self._start()

    def close(self) -> None:
        """Release files."""
        self.broker.store.close()

    def _transports(self) -> list[SimulatedTransport]:
        return [client.transport for client in self.clients] + [peer.transport for peer in self.peers]

    def _end(self) -> None:
        self._commits.clear()
        self.clients.clear()
        self.peers.clear()
        self.broker.store.close()

    # What must hold whenever the broker is at rest

    def check(self) -> None:
        """Counters agree with what they count, and nothing is left of what ended."""
        for vhost in self.broker.vhosts.values():
            for queue in vhost.queues.values():
                self._check_queue(queue)
        assert not self.broker.dirty_queues
        there: list[object] = [transport.session for transport in self._transports() if not transport.closed]
        assert len(self.broker.sessions) == len(there)
        assert all(session in there for session in self.broker.sessions)

    def _check_queue(self, queue: Queue) -> None:
        unacked = [
            message
            for client in self.clients
            for channel in client.connection.channels.by_number.values()
            for delivery in [
                *channel.deliveries.unacked.values(),
                *(
                    delivery
                    for deliveries, _ in (channel.transaction.settlements if channel.transaction else ())
                    for delivery in deliveries.values()
                ),
            ]
            for message in [delivery[1]]
            if delivery[0] is queue
        ]
        unacked += [message for peer in self.peers for of, message in peer.unacknowledged() if of is queue]
        assert queue.unacked_count == len(unacked), (queue.name, queue.unacked_count, len(unacked))
        if isinstance(queue, ClassicQueue):
            check_counts(queue)


def check_counts(queue: ClassicQueue) -> None:
    """The running totals of a queue equal what is in it."""
    if not queue.ready_count:
        assert queue.ready_bytes == 0
        assert queue.paged_count == 0
        assert queue.resident_bytes == 0
    assert queue.resident_bytes >= 0
    assert 0 <= queue.paged_count <= queue.ready_count
