"""The broker as a whole: what is shared by all virtual hosts, and the turns in which it works.

Nothing here waits.  The gateway calls in with bytes (through sessions) and with the time, ends each batch with
`end_turn`, and runs a commit when there is something to flush:

    sessions.receive(...)            # publishes append to queues and to the store
    broker.end_turn()                # queues to consumers; confirms that need no disk; one send per connection
    commit = broker.begin_commit()   # encode what is pending
    commit.write()                   # in a worker thread: write, fdatasync
    broker.finish_commit(commit)     # confirms

The time is `now_ms`, wall-clock milliseconds since 1970 that never run backwards, set by the gateway before each batch.

Longer than 400 lines because everything that a broker has begins here, most of it by a line or two.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, cast

from warren.core.access.accounts import User
from warren.core.access.users import Users
from warren.core.administration.listing.kinds import Listings
from warren.core.administration.parameters import Parameters
from warren.core.administration.vhost_deletion import delete_vhost
from warren.core.administration.vhost_limits import COMPONENT as VHOST_LIMITS
from warren.core.administration.vhost_limits import VhostLimits
from warren.core.alarms import Alarms
from warren.core.brief import BriefLives
from warren.core.chores import Chores, Ration
from warren.core.churn import ChurnCounts
from warren.core.clients.guessing import FAILURES_MAX_DEFAULT, Guessing
from warren.core.clients.limits import BrokerLimits, Usage, check_connection, check_vhost
from warren.core.clients.login_attempts import LoginAttempts
from warren.core.clients.outbox import Outbox
from warren.core.clients.rate_limits import RateLimits
from warren.core.clients.refused_logins import DELAY_DEFAULT_MS, WAITING_MAX_DEFAULT, RefusedLogins
from warren.core.clients.strangers import Strangers
from warren.core.clients.troubles import Troubles
from warren.core.clients.unkept import Unkept
from warren.core.component import Component, ComponentFactory
from warren.core.deadlines import Deadlines
from warren.core.declaring.histories import Histories
from warren.core.declaring.numbers import Numbers
from warren.core.declaring.quarantine import Quarantine
from warren.core.declaring.queues import remove_queue
from warren.core.declaring.super_streams_under_way import SuperStreamsUnderWay
from warren.core.ended import DeadLetters, Ended
from warren.core.errors import PreconditionFailed, UnknownVirtualHost, VirtualHostRefused
from warren.core.limit_hits import LimitHits
from warren.core.message_sizes import SizesByProtocol
from warren.core.policies.table import PolicyTable
from warren.core.queues.ack_timeout import AckHolder, AckTimeoutWatch
from warren.core.queues.answer import Answer, ignore
from warren.core.queues.backlog import USUAL_PAGING, Paging
from warren.core.queues.base import Queue
from warren.core.queues.classic.burials import WORK_PER_TURN
from warren.core.queues.stride import LatestStride
from warren.core.rates import Rates
from warren.core.rationed_log import RationedLog
from warren.core.rechecks import Rechecks
from warren.core.routing.known_routes import SpareRoutes
from warren.core.routing.vhost import VirtualHost
from warren.core.routing.vhost_metadata import DELETING, check_metadata
from warren.core.settings import BACKLOG_BYTES_MAX, RETURNS, TIMEOUT_DEFAULT_MS
from warren.core.stalls import Stalls
from warren.core.storage import recovery
from warren.core.storage.commit import Commit, Committed
from warren.core.storage.definitions.store import DefinitionStore
from warren.core.storage.engine import StorageEngine
from warren.core.streams.groups import StreamGroups
from warren.core.streams.streams import Streams
from warren.core.watchers import Watchers
from warren.core.withdrawals import Withdrawals

if TYPE_CHECKING:
    from warren.core.administration.listing.channels import ChannelRow
    from warren.core.administration.listing.connections import ConnectionRow
    from warren.core.administration.stream_tails import StreamTail
    from warren.core.administration.tails import Tail
    from warren.core.cluster.agreements import Agreements
    from warren.core.cluster.hook import ClusterHook
    from warren.core.errors import BrokerError
    from warren.core.message_observer import MessageObserver
    from warren.core.storage.definitions.store import JSON

_log = logging.getLogger("warren.broker")

ROUNDS_MAX = 4
"""Dispatch and send this often in one turn before the other sockets are looked at again: a fast consumer of a long
backlog takes a mebibyte each time."""

DELIVERIES_PER_TURN: Final = 2000
"""Deliveries that are made in one turn, one by one, whoever gets them: 2 to 10 µs each.  A queue that is looked at
without having anything to deliver counts as one."""

DEADLINES_PER_TURN: Final = 200
"""Calls that were due at one moment are made in turns, so many in each: a will that is published is one, and ten
thousand clients of a network that fails leave theirs at once."""

NO_LIMITS = BrokerLimits()

NO_COMPONENTS: Mapping[str, ComponentFactory] = {}


class SessionEntry(Protocol):
    """What the broker's listings need of a connected session; adapters register theirs."""

    def connection_row(self) -> ConnectionRow:
        """Its row in list_connections."""

    def channel_rows(self) -> Iterable[ChannelRow]:
        """The rows of its channels in list_channels."""

    def ack_holders(self) -> Iterable[AckHolder]:
        """Its channels, or itself: whatever keeps unacknowledged deliveries."""

    def force_close(self, reason: str) -> None:
        """Close with 320 CONNECTION_FORCED, or the protocol's equivalent."""


class Broker:
    """One broker; see the head of this file for how the gateway drives it.

    store: the engine for messages, recovered already.  definitions: the store for everything else, loaded by
    `core.storage.recovery.recover`.  now_ms: the time at the start.  backlog_bytes_max: memory budget of queued stored
    messages, in bytes.  continue_client_deaths: whether the x-death that a client publishes counts as a message's
    history (what applications written before RabbitMQ 4 expect).  delivery_limit_counts: RETURNS or FAILURES (see
    core.settings).  consumer_timeout_ms: the acknowledgement timeout, 0
    for none.  default_queue_type: of declarations that name none, in virtual hosts that have no default of their own.
    components: by name, what makes that which adapters keep beside the topology.  refused_login_delay_ms,
    refused_logins_max: how long refused logins wait for their answer, and how many at a time.  failed_logins_max: of
    one user from one address in a minute, 0 for any number.  paging: how much of each queue stays in memory.
    """

    def __init__(
        self,
        store: StorageEngine,
        definitions: DefinitionStore,
        users: Users,
        *,
        now_ms: int,
        backlog_bytes_max: int = BACKLOG_BYTES_MAX,
        continue_client_deaths: bool = True,
        delivery_limit_counts: str = RETURNS,
        consumer_timeout_ms: int = TIMEOUT_DEFAULT_MS,
        limits: BrokerLimits = NO_LIMITS,
        default_queue_type: str | None = None,
        components: Mapping[str, ComponentFactory] = NO_COMPONENTS,
        refused_login_delay_ms: int = DELAY_DEFAULT_MS,
        refused_logins_max: int = WAITING_MAX_DEFAULT,
        failed_logins_max: int = FAILURES_MAX_DEFAULT,
        track_auth_attempt_source: bool = False,
        paging: Paging = USUAL_PAGING,
    ) -> None:
        self.store = store
        self.definitions = definitions
        self.users = users
        self.now_ms = now_ms
        self.started_at_ms = now_ms
        self.backlog_bytes_max = backlog_bytes_max
        self.paging = paging
        self.sequence = 0
        self.turn = 0
        self.continue_client_deaths = continue_client_deaths
        self.counts_returns = delivery_limit_counts == RETURNS
        self.vhosts: dict[str, VirtualHost] = {}
        self.cluster: ClusterHook | None = None
        self.observer: MessageObserver | None = None
        self.watchers = Watchers()
        self.policies = PolicyTable(definitions)
        self.histories = Histories(self)
        self.parameters = Parameters(definitions)
        self.agreements: Agreements | None = None
        self.limits = limits
        self.default_queue_type = default_queue_type
        self.client_count = 0
        self.channel_count = 0
        self.churn = ChurnCounts()
        self.ended = Ended()
        self.dead_letters = DeadLetters()
        self.message_sizes = SizesByProtocol()
        self.brief = BriefLives()
        self._usage: dict[str, Usage] = {}
        self.rate_limits = RateLimits(self)
        self.parameters.register(VHOST_LIMITS, VhostLimits(self.vhosts, self.rate_limits.changed))
        self.deadlines = Deadlines(self._callback_failed)
        self.chores = Chores(self._callback_failed)
        self.burials = Ration(WORK_PER_TURN)
        self.settlements = Ration(WORK_PER_TURN)
        self.spare_routes = SpareRoutes()
        self._is_late = False
        self.rates = Rates(self.deadlines, self.chores)
        self.rationed_log = RationedLog()
        self.limit_hits = LimitHits(self)
        self.guessing = Guessing(failed_logins_max, lambda: self.now_ms, self.limit_hits)
        self.users.refuses = self.guessing.refuses
        self.login_attempts = LoginAttempts(self.guessing, tracks_sources=track_auth_attempt_source)
        self.strangers = Strangers(self._too_many_strangers)
        self.stalls = Stalls()
        self.troubles = Troubles()
        self.tails: set[Tail | StreamTail] = set()
        self.alarms = Alarms()
        self.alarms.listen(self.forget_known_routes)
        self.withdrawals = Withdrawals(self)
        self.users.listen(
            self.forget_known_routes,
            self.withdrawals.note,
            self.limit_hits.count,
            lambda: self.now_ms,
            self.rate_limits.changed,
        )
        self.rechecks = Rechecks(self)
        self.refused_logins = RefusedLogins(
            self.deadlines, refused_login_delay_ms, refused_logins_max, on_full=self._refused_logins_full
        )
        self.dirty_queues: list[Queue] = []
        self.latest_stride = LatestStride()
        self.deliveries_left = DELIVERIES_PER_TURN
        self._not_begun: list[Queue] = []
        self._cut_queues: list[Queue] = []
        self.touched: list[Outbox] = []
        self.unkept = Unkept(definitions)
        # Of definitions, which a crash has cut off: whoever starts the broker has them finished.
        self.begun_imports: dict[str, dict[str, JSON]] = {}
        self.awaiting_flush: dict[Committed, None] = {}
        self.after_batch: list[Callable[[], None]] = []
        self.crowded_queues: set[Queue] = set()
        self.quarantine = Quarantine(recovery.restore_binding)
        self.numbers = Numbers(definitions, store, self.quarantine)
        self.streams = Streams(store)
        self.stream_groups = StreamGroups()
        self.sessions: dict[SessionEntry, None] = {}
        self.listings = Listings()
        self.ack_timeouts = AckTimeoutWatch(self, consumer_timeout_ms)
        self.super_streams = SuperStreamsUnderWay(self)
        self.components: dict[str, Component] = {
            "users": users,
            "policies": self.policies,
            "parameters": self.parameters,
            "super streams": self.super_streams,
        }
        for name, make in components.items():
            self.components[name] = make(self)

    def share(self, agreements: Agreements) -> None:
        """Be one node of a cluster, with which changes of what is shared are agreed on from now on."""
        self.agreements = agreements
        self.users.agreements = agreements
        self.policies.agreements = agreements
        self.parameters.agreements = agreements

    def has_just_made(self, kind: str, vhost: str, name: str) -> bool:
        """Whether its cluster has agreed on what is being done again now, and this wasn't there before."""
        return self.agreements is not None and self.agreements.has_made(kind, vhost, name)

    # Virtual hosts

    def forget_known_routes(self) -> None:
        """Something changed that routes which sessions remember rest on: see core.routing.known_routes."""
        for vhost in self.vhosts.values():
            vhost.version += 1

    def vhost(self, name: str) -> VirtualHost:
        """The virtual host of this name; UnknownVirtualHost (530) says that there is none."""
        found = self.vhosts.get(name)
        if found is None:
            raise UnknownVirtualHost(f"vhost {name} not found")
        if found.deleting:
            raise UnknownVirtualHost(f"vhost {name} not found: it is being deleted")
        return found

    def open_vhost(self, user: User, name: str) -> VirtualHost:
        """The virtual host, for another connection of `user` (spec A.3.7).

        Raises NotAllowed (530): UnknownVirtualHost, VirtualHostRefused without permissions, itself for a limit; and
        Unanswered.
        """
        found = self.vhost(name)
        check_connection(self, user.name, found)
        if not self.users.may_access_vhost(user, name):
            raise VirtualHostRefused(
                f"access to vhost '{name}' refused for user '{user.name}'; grant permissions on it first"
            )
        return found

    def add_vhost(self, name: str, metadata: Mapping[str, object]) -> VirtualHost:
        """Make a virtual host; PreconditionFailed when it is there already."""
        if self.agreements is not None and self.agreements.is_agreed(("vhost", name)):
            return self.vhost(name)
        if name in self.vhosts:
            found = self.vhosts[name]
            why = "is being deleted; add it once that is done" if found.deleting else "exists already"
            raise PreconditionFailed(f"vhost '{name}' {why}")
        if not name:
            raise PreconditionFailed("a virtual host needs a name")
        check_vhost(self, name)
        self.definitions.check_room()
        checked_metadata = check_metadata(cast("Mapping[str, JSON]", metadata))
        if self.agreements is not None:
            self.agreements.ask(("vhost", "", name, checked_metadata), intent=("vhost", name))
        return recovery.add_vhost(self, name, checked_metadata)

    def update_vhost(self, name: str, metadata: Mapping[str, JSON]) -> None:
        """Replace the description, tags or default queue type that `metadata` holds; the others stay.

        An empty default queue type means none any more.  Raises NotAllowed for an unknown virtual host,
        PreconditionFailed for a value that can't be.
        """
        vhost = self.vhost(name)
        if self.agreements is not None and self.agreements.begin(("change vhost", name, repr(metadata))):
            return
        self.definitions.check_room()
        checked = check_metadata(metadata)
        row = {key: value for key, value in vhost.metadata.items() if key not in metadata}
        row.update(checked)
        if self.agreements is not None:
            self.agreements.ask(("vhost", "", name, cast("Mapping[str, JSON]", row)))
        vhost.metadata = row
        self.put_vhost(vhost)

    def set_tracing(self, name: str, tracing: bool) -> None:
        """Turn the firehose of a virtual host on or off, also for the time after a restart."""
        vhost = self.vhost(name)
        if self.agreements is not None and self.agreements.begin(("trace vhost", name, tracing)):
            return
        self.definitions.check_room()
        if self.agreements is not None:
            traced = {"tracing": True} if tracing else {}
            row = {key: value for key, value in vhost.metadata.items() if key != "tracing"}
            self.agreements.ask(("vhost", "", name, cast("Mapping[str, JSON]", {**row, **traced})))
        vhost.tracing = tracing
        self.put_vhost(vhost)
        vhost.changed()

    def observe_messages(self, observer: MessageObserver | None) -> None:
        """Have it see all messages from now on, or nobody; ValueError while somebody else does."""
        if observer is not None and self.observer is not None:
            raise ValueError("messages have an observer already")
        self.observer = observer
        for vhost in self.vhosts.values():
            vhost.look_who_observes()
        self.forget_known_routes()

    def usage_of(self, user: str) -> Usage:
        """The counters of what a user has open."""
        found = self._usage.get(user)
        if found is None:
            found = self._usage[user] = Usage()
        return found

    def put_vhost(self, vhost: VirtualHost) -> None:
        """Write its row."""
        if vhost.tracing:
            vhost.metadata["tracing"] = True
        else:
            vhost.metadata.pop("tracing", None)
        row = cast("Mapping[str, JSON]", vhost.metadata)
        self.definitions.put("vhost", "", vhost.name, {**row, DELETING: True} if vhost.deleting else row)

    def delete_vhost(self, name: str, answer: Answer[None] = ignore) -> None:
        """Delete a virtual host with all that is in it, and close its connections (spec G), soon (vhost_deletion.py).

        answer: called once all of it is gone.
        """
        vhost = self.vhost(name)
        if self.agreements is None or self.agreements.applying:
            delete_vhost(self, vhost, answer)
        else:
            self.agreements.ask_then(("vhost", "", name, None), partial(self._vhost_leaves, vhost, answer))

    def _vhost_leaves(self, vhost: VirtualHost, answer: Answer[None], agreed: bool, error: BrokerError | None) -> None:
        """The cluster has said what it makes of a deletion, which goes on here if it agreed."""
        if error is not None:
            answer(error)
        elif not agreed:
            self._delete_vhost_again(vhost, answer)
        elif self.vhosts.get(vhost.name) is not vhost:
            answer(None)
        else:
            self.chores.add(partial(self._answer_when_gone, vhost, answer))

    def _delete_vhost_again(self, vhost: VirtualHost, answer: Answer[None]) -> None:
        """Somebody has changed it meanwhile, or deleted it."""
        if self.vhosts.get(vhost.name) is vhost and not vhost.deleting:
            self.delete_vhost(vhost.name, answer)
        else:
            answer(None)

    def _answer_when_gone(self, vhost: VirtualHost, answer: Answer[None]) -> bool:
        if self.vhosts.get(vhost.name) is vhost:
            return True
        answer(None)
        return False

    def expire_queue(self, queue: Queue) -> None:
        """Delete a queue that nobody has used for as long as its expiry says."""
        _log.info("%s has expired: unused for its x-expires", queue.description)
        if self.agreements is not None and self.agreements.shares_queue(queue):
            self.agreements.ask_quietly(("queue", queue.vhost.name, queue.name, None))
        else:
            remove_queue(queue.vhost, queue)

    def inspect(self, what: str, vhost: str | None) -> list[dict[str, object]]:
        """All columns of all queues, exchanges, bindings, connections... (`listings` knows more), at once (spec F.8).

        vhost: only what is in it; None for all.  KeyError for an unknown listing.  Who wants a few rows or columns, or
        can't wait, uses `core.administration.listing.selecting.select`.
        """
        from warren.core.administration.listing.selecting import Query, select

        return select(self, Query(what, None if vhost is None else (vhost,))).finish().rows

    def damage(self) -> list[str]:
        """What was found damaged on disk since the start and what is set aside for it, in words."""
        return self.found_damage() + self.quarantine.reports()

    def found_damage(self) -> list[str]:
        """What was found damaged on disk, oldest first: the definitions' all at the start, the log's at any time."""
        found = [f"definitions: {each}" for each in self.definitions.damage()]
        found += (f"message log: {each}" for each in self.store.damage())
        return found

    # Batches

    def next_sequence(self) -> int:
        """The number of the next message."""
        self.sequence += 1
        return self.sequence

    def at_end_of_batch(self, call: Callable[[], None]) -> None:
        """Have `call` run in this batch's `dispatch`, once deliveries are made."""
        self.after_batch.append(call)

    def drain_later(self, queue: Queue) -> None:
        """`queue` has had its share of this turn: it is drained in the next, behind those that had none."""
        if not queue.dirty:
            queue.dirty = True
            self._cut_queues.append(queue)

    def dispatch(self) -> None:
        """Deliver what the batch made deliverable, then run what was put off to the end of the batch.

        What is more than `DELIVERIES_PER_TURN` is delivered in later turns.
        """
        while self.dirty_queues or self.after_batch:
            while self.dirty_queues:
                queues = self.dirty_queues
                self.dirty_queues = []
                self._put_off(queues, self.deliveries_left)
                for index, queue in enumerate(queues):
                    if self.deliveries_left <= 0:
                        self._put_off(queues, index)
                        break
                    queue.dirty = False
                    try:
                        queue.drain()
                    except Exception:
                        _log.exception("%s: internal error while delivering", queue.description)
                self.deliveries_left -= len(queues)
            calls = self.after_batch
            self.after_batch = []
            for call in calls:
                try:
                    call()
                except Exception as error:
                    self._callback_failed(error)
        if self.definitions.dirty:
            self.numbers.tidy()
            self.definitions.commit()

    def end_turn(self) -> bool:
        """Dispatch, and send once for each connection that has something, until there is nothing left to do.

        Whoever has called into the broker (with bytes, the time, a commit, a command) calls this afterwards.  True says
        that there is more to do after `ROUNDS_MAX` rounds, or a further slice of long work (core.chores): the caller
        calls again, once others have had a turn.
        """
        chores = self.chores
        if chores:
            chores.do_one_slice()
        self.turn += 1
        if self._not_begun or self._cut_queues:
            self.dirty_queues = [*self._not_begun, *self._cut_queues, *self.dirty_queues]
            self._not_begun, self._cut_queues = [], []
        has_more = self._deliver_and_send()
        self.latest_stride.forget()
        self.deliveries_left = DELIVERIES_PER_TURN
        return has_more or bool(chores or self._not_begun or self._cut_queues)

    def _put_off(self, queues: list[Queue], index: int) -> None:
        """From this one on, they are drained in the next turn."""
        index = max(index, 0)
        self._not_begun += queues[index:]
        del queues[index:]

    def _deliver_and_send(self) -> bool:
        """The rounds of a turn; True when there is more to do after them."""
        touched = self.touched
        for _ in range(ROUNDS_MAX):
            self.dispatch()
            if not touched:
                return False
            outboxes = touched[:]
            touched.clear()
            if self.unkept:
                outboxes = self.unkept.sendable(outboxes)
            for outbox in outboxes:
                outbox.transport.send()
            if self.deliveries_left <= 0:
                break
        return bool(touched or self.dirty_queues or self.after_batch)

    def advance(self, now_ms: int) -> None:
        """Let everything happen that is due by `now_ms`."""
        self.now_ms = max(self.now_ms, now_ms)
        if not self._is_late and self._run_due():
            self._is_late = True
            self.chores.add(self._run_late)

    def _run_due(self) -> bool:
        """Make calls that are due; True when there are more than one turn should have."""
        self.deadlines.run(self.now_ms, DEADLINES_PER_TURN)
        next_at_ms = self.deadlines.next_at_ms
        return next_at_ms is not None and next_at_ms <= self.now_ms and self.deadlines.was_cut

    def _run_late(self) -> bool:
        self._is_late = self._run_due()
        return self._is_late

    # Commits

    @property
    def commit_wanted(self) -> bool:
        """True when something waits to be flushed or confirmed."""
        return bool(self.awaiting_flush or self.unkept) or self.messages_pending or self.definitions.unsynced

    @property
    def messages_pending(self) -> bool:
        """True when messages, or what became of some, wait to be flushed."""
        return self.store.pending or self.streams.pending

    def begin_commit(self) -> Commit:
        """Take everything that waits for the disk."""
        if self.definitions.dirty:
            self.definitions.commit()
        waiting = [(committed, committed.mark()) for committed in self.awaiting_flush]
        self.awaiting_flush.clear()
        definitions = self.definitions if self.definitions.unsynced else None
        return Commit(
            self.store.begin_flush(),
            self.streams.begin_flush(self.now_ms),
            definitions,
            waiting,
            self.numbers.begin_commit(),
            self.unkept.begin_commit(),
        )

    def keep_definitions(self, commit: Commit) -> None:
        """A commit couldn't be written; if its definitions are synced, who waits for those alone is answered now."""
        if commit.definitions is None:
            self.unkept.finish_commit(commit.unkept)

    def extend_commit(self, commit: Commit) -> None:
        """A commit whose messages had no room on the disk is about to be tried again: with what was declared since."""
        if self.definitions.dirty:
            self.definitions.commit()
        if self.definitions.unsynced:
            commit.definitions = self.definitions
        commit.unkept = self.unkept.begin_commit()

    def finish_commit(self, commit: Commit) -> None:
        """Book a commit that was written: confirms go out, and what is on disk may leave memory."""
        if commit.flush is not None:
            self.store.finish_flush(commit.flush)
        if commit.streams is not None:
            self.streams.finish_flush(commit.streams)
        self.numbers.finish_commit(commit.deleted)
        self.unkept.finish_commit(commit.unkept)
        for committed, mark in commit.waiting:
            try:
                committed.flushed(mark)
            except Exception as error:
                self._callback_failed(error)
        if self.crowded_queues:
            self.page_out()

    def page_out(self) -> None:
        """Let messages leave memory that are on disk, if queues hold more than they may."""
        queues = self.crowded_queues
        if sum(queue.resident_bytes for queue in queues) > self.backlog_bytes_max:
            for queue in queues:
                queue.page_out()
        self.crowded_queues = {queue for queue in queues if queue.resident_bytes > 0}

    def _too_many_strangers(self, address: str) -> None:
        self.limit_hits.warn(
            "unauthenticated_connections_max",
            address,
            _log,
            "%s has more than %d connections that haven't logged in: the one that has waited longest is cut off",
            address,
            self.strangers.per_address_max,
        )

    def _refused_logins_full(self, waiting_max: int) -> None:
        self.limit_hits.warn(
            "refused_logins_max",
            "",
            _log,
            "more than %d refused logins wait for their answer; who has waited longest is answered now, and may try "
            "again the sooner (refused_logins_max)",
            waiting_max,
        )

    def _callback_failed(self, error: Exception) -> None:
        _log.error("an action of a timer, a commit or the end of a batch failed", exc_info=error)
