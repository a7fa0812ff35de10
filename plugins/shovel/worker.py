"""One shovel for as long as it is wanted: connecting, pumping, pauses between tries, and what its status says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import trio

from warren.adapters.peers.errors import PeerError
from warren.gateway.plugin import BrokerError, DirectError
from warren.plugins.bridging.ack_modes import NO_ACK
from warren.plugins.bridging.amqp_ends import AmqpSource
from warren.plugins.bridging.attempts import FAILED, RUNNING, STARTING, STOPPED, Attempts, pick
from warren.plugins.bridging.ends import Rejecting
from warren.plugins.bridging.local_ends import LocalSource, words
from warren.plugins.bridging.pump import BATCH_MAX, Pump, first_to_end
from warren.plugins.shovel import local_ends, mqtt_ends
from warren.plugins.shovel.buffering import begin_buffer, owner_of
from warren.plugins.shovel.definition import QUEUE_LENGTH, DestinationDefinition, SourceDefinition
from warren.plugins.shovel.far_ends import FarEnds, Shared
from warren.plugins.shovel.lag import Lag
from warren.plugins.shovel.rewriting import Rewriting
from warren.plugins.shovel.stamping import Stamping, until_stored

if TYPE_CHECKING:
    from warren.adapters.amqp091.client.uri import AmqpUri
    from warren.core.queues.withheld import Withheld
    from warren.gateway.plugin import BrokerClient, Context
    from warren.plugins.bridging.ends import Arrived, Destination, Source
    from warren.plugins.shovel.definition import ShovelDefinition
    from warren.plugins.shovel.far_ends import AnyUri
    from warren.plugins.shovel.left_behind import Kept

PATIENCE_S: Final = 15.0
"""How long a shovel that is restarted, changed or deleted waits for the destination's word about what is under way:
longer than a slow destination takes, so that nothing comes twice."""

EMPTY_LOOK_S: Final = 1.0
EMPTY_LOOKS: Final = 3
"""How often a queue is looked at that is emptied once, and how often in a row it has to be empty: what another consumer
holds may come back."""

STATES: Final = {STARTING: "starting", RUNNING: "running", FAILED: "terminated", STOPPED: "terminated"}
"""RabbitMQ's words."""


class Worker:
    """See the head of this file.

    shared: what all shovels have in common.
    state: starting, running, blocked, terminated.  reason: why it isn't running, in words; None if it is.
    since: when it came to its state.
    """

    def __init__(
        self,
        context: Context,
        vhost: str,
        name: str,
        definition: ShovelDefinition,
        shared: Shared,
        *,
        static: bool,
    ) -> None:
        self.vhost = vhost
        self.name = name
        self.definition = definition
        self.static = static
        self.forwarded = 0
        self.lag = Lag(context.broker, definition.source)
        self.left_out = 0
        self.dead_lettered = 0
        self._context = context
        self._stamping = _stamping(context, vhost, name, definition)
        self._ends = FarEnds(context, vhost, name, definition, shared)
        self._left = shared.left
        self._attempts = Attempts(
            context.log,
            f"shovel '{name}' in virtual host '{vhost}'",
            definition.reconnect_delay_s,
            self._connect_and_pump,
            shared.turnstile,
        )
        self._done: Callable[[], None] = lambda: None
        self._pump: Pump[Any] | None = None
        self._remaining: int | None = None
        self._withheld: Withheld | None = None

    # What it says of itself

    @property
    def source_uri(self) -> AnyUri:
        """Where its source is: that it tried last."""
        return self._ends.source_uri or self.definition.source.uris[0]

    @property
    def destination_uri(self) -> AnyUri:
        return self._ends.destination_uri or self.definition.destination.uris[0]

    @property
    def state(self) -> str:
        if self._attempts.state == RUNNING and self.blocked is not None:
            return "blocked"
        return STATES[self._attempts.state]

    @property
    def reason(self) -> str | None:
        return self.blocked if self._attempts.state == RUNNING else self._attempts.reason

    @property
    def since(self) -> str:
        return self._attempts.since

    @property
    def blocked(self) -> str | None:
        """Why the destination takes nothing now."""
        return None if self._pump is None else self._pump.blocked

    @property
    def pending(self) -> int:
        """Messages under way."""
        return 0 if self._pump is None else self._pump.pending

    @property
    def remaining(self) -> int | None:
        """Messages still to move; None for no end."""
        return self._remaining if self._pump is None else self._pump.remaining

    @property
    def unstamped(self) -> int:
        """Messages that got no value of the deduplication header."""
        return 0 if self._stamping is None else self._stamping.unstamped

    @property
    def withheld(self) -> int:
        """Messages whose publishers wait for the destination's word."""
        buffer = self.definition.buffer
        if buffer is None:
            return 0
        vhost = self._context.broker.vhosts.get(buffer.vhost)
        found = None if vhost is None else vhost.buffers.get(buffer.queue)
        ours = found is not None and found.owner == owner_of(self.vhost, self.name)
        return len(found.withheld) if found is not None and ours and found.withheld is not None else 0

    # What is done with it

    async def run(self, done: Callable[[], None]) -> None:
        """Work until cancelled, or until enough was moved or its time is over.

        done: called then, to have the parameter removed.
        """
        self._done = done
        async with trio.open_nursery() as nursery:
            if self.definition.delete_after_s is not None:
                nursery.start_soon(self._end_after, self.definition.delete_after_s)
            try:
                await self._attempts.run()
            finally:
                self._ends.finish()
            nursery.cancel_scope.cancel()

    async def end_left_behind(self, after: Worker | None) -> None:
        """Nobody comes back to it, but `after`, which has taken its place, to what is the same."""
        following = set() if after is None else {each.key for each in after.left_behind()}
        async with trio.open_nursery() as nursery:
            for kept in {each.key: each for each in self.left_behind()}.values():
                if kept.key not in following and not self._ends.is_another_ones(kept):
                    nursery.start_soon(self._left.end, kept)

    def left_behind(self) -> Iterator[Kept]:
        """What it leaves at other brokers."""
        return self._ends.left_behind()

    def restart(self) -> None:
        """Give up the connections, once it is known what has become of what is under way, and connect again at once."""
        self._leave_in_good_order()
        self._attempts.restart()

    def cancel(self) -> None:
        """End it, once it is known what has become of what is under way."""
        self._leave_in_good_order()
        self._attempts.cancel()

    def _leave_in_good_order(self) -> None:
        if self._pump is not None:
            self._pump.patience_s = PATIENCE_S

    async def wait_over(self) -> None:
        """Return when it has ended, and its connections are closed."""
        await self._attempts.wait_over()

    # Below

    async def _end_after(self, seconds: int) -> None:
        await trio.sleep(seconds)
        self._context.log.info(
            "shovel '%s' in virtual host '%s' ends: its time is over (src-delete-after-duration)", self.name, self.vhost
        )
        self.cancel()
        self._done()

    async def _connect_and_pump(self, peers: trio.Nursery) -> None:
        try:
            await self._connected(peers)
        finally:
            self._pump = self.lag.end = None
        self._context.log.info("shovel '%s' in virtual host '%s' has moved what it was to move", self.name, self.vhost)
        self._done()

    async def _connected(self, peers: trio.Nursery) -> None:
        definition = self.definition
        async with AsyncExitStack() as held:
            here = await self._local_source(held)
            await self._ends.begin(self._prefetch())
            destination = await self._destination(peers, held)
            source = await self._source(peers, held, here)
            if definition.delete_after == QUEUE_LENGTH and self._remaining is None:
                self._remaining = source.waiting or 0
            if self._remaining == 0:
                return
            wanted, from_elsewhere = definition.filter, self._ends.from_elsewhere()
            pump: Pump[Any] = Pump(
                source,
                destination,
                self._rewriting(),
                ack_mode=definition.ack_mode,
                remaining=self._remaining,
                rate_max=definition.rate_max,
                in_flight_max=definition.prefetch,
                moved=self._moved,
                wanted=_both(None if wanted is None else wanted.passes, from_elsewhere),
                passed_over=self._passed_over,
                reject=source.reject if isinstance(source, Rejecting) else None,
                rejects_unwanted=(from_elsewhere or _any) if definition.filter_rejects else None,
                refusals_max=definition.dead_letter_after,
                given_up=self._given_up,
                batch_max=BATCH_MAX if wanted is None else wanted.batch_max,
            )
            if isinstance(source, mqtt_ends.MqttSource | AmqpSource):
                pump.grace_s = mqtt_ends.GRACE_S
            await self._ends.announce()
            self._pump = pump
            self._attempts.running()
            beside: list[Callable[[], Awaitable[None]]] = []
            if definition.delete_after == QUEUE_LENGTH and isinstance(source, LocalSource | AmqpSource):
                beside.append(partial(self._until_empty, pump, source))
            if isinstance(source, AmqpSource):
                beside.append(partial(self.lag.keep_looking, source))
            await first_to_end(pump.run, *beside)

    async def _until_empty(self, pump: Pump[Any], source: LocalSource | AmqpSource) -> None:
        """Return when nothing is left of what there was at the start: others have taken what the shovel hasn't."""
        looks = 0
        while looks < EMPTY_LOOKS:
            await trio.sleep(EMPTY_LOOK_S)
            looks = 0 if pump.pending or not await source.is_empty() else looks + 1

    async def _local_source(self, held: AsyncExitStack) -> BrokerClient | None:
        """Have the source's queue, if it is one of this broker, before the destination is there; its client."""
        definition, buffer = self.definition.source, self.definition.buffer
        if not isinstance(definition, SourceDefinition):
            return None
        uri = self._ends.source_uri = self.lag.uri = pick(definition.uris)
        if uri.host:
            return None
        client = await self._client(uri, held)
        if buffer is not None:
            try:
                self._withheld = begin_buffer(self._context.broker, owner_of(self.vhost, self.name), buffer)
            except BrokerError as error:
                raise PeerError(words(error)) from error
        await local_ends.declare_source(client, definition)
        return client

    async def _source(self, peers: trio.Nursery, held: AsyncExitStack, here: BrokerClient | None) -> Source[Any]:
        definition, mode = self.definition.source, self.definition.ack_mode
        prefetch = self._prefetch()
        if here is None or not isinstance(definition, SourceDefinition):
            return await self._ends.source(peers, held, prefetch)
        stored = None if self._stamping is None else partial(until_stored, self._context)
        source = await local_ends.open_source(here, held, definition, mode, prefetch, self._withheld, stored)
        self.lag.end = source
        if self._stamping is not None:
            self._stamping.subscription = source.subscription
        return source

    async def _destination(self, peers: trio.Nursery, held: AsyncExitStack) -> Destination:
        definition = self.definition.destination
        if isinstance(definition, DestinationDefinition):
            uri = self._ends.destination_uri = pick(definition.uris)
            if not uri.host:
                client = await self._client(uri, held)
                return await local_ends.open_destination(client, definition, self.definition.ack_mode)
        return await self._ends.destination(peers, held)

    async def _client(self, uri: AmqpUri, held: AsyncExitStack) -> BrokerClient:
        """This broker itself: by the user that the URI names, or as the broker."""
        try:
            return await held.enter_async_context(
                self._context.connect(uri.user, uri.vhost, name=f"Shovel {self.name}")
            )
        except (BrokerError, DirectError) as error:
            raise PeerError(words(error)) from error

    def _rewriting(self) -> Rewriting:
        return Rewriting(
            self.definition,
            name=self.name,
            vhost=self.vhost,
            kind="static" if self.static else "dynamic",
            cluster_name=self._context.facts.cluster_name,
            source_uri=self.source_uri.shown,
            destination_uri=self.destination_uri.shown,
            stamping=self._stamping,
            source_place=self._ends.source_place,
        )

    def _prefetch(self) -> int:
        """How many messages may be under way: no more than are to be moved at all, as far as that is known."""
        if self._remaining is None and isinstance(self.definition.delete_after, int):
            self._remaining = self.definition.delete_after
        if self._remaining is None or self.definition.ack_mode == NO_ACK:
            return self.definition.prefetch
        return max(1, min(self.definition.prefetch, self._remaining))

    def _passed_over(self, count: int) -> None:
        """Messages of the source aren't wanted at the destination, or have come from there."""
        self.left_out += count
        self.lag.gone(count)
        self._done_with(count)

    def _given_up(self, count: int) -> None:
        """The destination has refused messages too often."""
        self.dead_lettered += count
        self.lag.gone(count)
        self._done_with(count)
        broker = self._context.broker
        broker.rationed_log.warning(
            self._context.log,
            ("a shovel gives up messages", self.vhost, self.name),
            broker.now_ms,
            "shovel '%s' in virtual host '%s' gives up what is refused too often (dead-letter-after): %s",
            self.name,
            self.vhost,
            self.blocked,
        )

    def _moved(self, count: int) -> None:
        self.forwarded += count
        self.lag.moved(count)
        self._done_with(count)

    def _done_with(self, count: int) -> None:
        if self._remaining is not None:
            self._remaining -= count


def _stamping(context: Context, vhost: str, name: str, definition: ShovelDefinition) -> Stamping | None:
    header = definition.changes.deduplication_header
    if header is None:
        return None
    source = definition.source
    where = source.uris[0].vhost if isinstance(source, SourceDefinition) else f"{vhost} {name}"
    return Stamping(header, f"{context.facts.cluster_name} {where}", str(context.facts.started_at_ms))


def _any(message: Arrived) -> bool:
    return True


def _both(
    filter: Callable[[Arrived], bool] | None, from_elsewhere: Callable[[Arrived], bool] | None
) -> Callable[[Arrived], bool] | None:
    """What passes both of them, where there are two; the second one costs less."""
    if filter is None or from_elsewhere is None:
        return filter or from_elsewhere
    return lambda message: from_elsewhere(message) and filter(message)
