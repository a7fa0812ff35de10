"""One shovel for as long as it is wanted: connecting, pumping, pauses between tries, and what its status says."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import trio

from warren.adapters.mqtt.client.connection import RECEIVE_MAXIMUM_MAX
from warren.adapters.mqtt.client.memory import ClientMemory
from warren.adapters.peers.errors import PeerError
from warren.gateway.plugin import AmqpPeer, BrokerError, DirectError, MqttPeer, connect_amqp, connect_mqtt
from warren.plugins.shovel import amqp_ends, local_ends, mqtt_ends
from warren.plugins.shovel.definition import (
    NO_ACK,
    QUEUE_LENGTH,
    MqttDestinationDefinition,
    MqttSourceDefinition,
    pick,
)
from warren.plugins.shovel.pump import Pump
from warren.plugins.shovel.rewriting import Rewriting

if TYPE_CHECKING:
    from warren.adapters.amqp091.client.uri import AmqpUri
    from warren.adapters.mqtt.client.uri import MqttUri
    from warren.gateway.plugin import BrokerClient, Context
    from warren.plugins.shovel.definition import MqttClientDefinition, ShovelDefinition
    from warren.plugins.shovel.ends import Destination, Source

PAUSE_GROWTH: Final = 1.5
PAUSE_MOST_S: Final = 60.0
"""The pause after a failure grows from the reconnect delay to a minute, so that a peer that is gone for days costs
nothing, and one that comes back is found soon."""

JITTER: Final = 0.25
"""Each pause is so much shorter or longer by chance: many shovels don't come back at once."""

STEADY_S: Final = 30.0
"""A shovel that ran for so long begins again with the shortest pause."""

PRODUCT: Final = "Warren"


class Worker:
    """See the head of this file.

    state: starting, running, blocked, terminated.  reason: why it isn't running, in words; None if it is.
    since: when it came to its state.
    """

    def __init__(self, context: Context, vhost: str, name: str, definition: ShovelDefinition, *, static: bool) -> None:
        self.vhost = vhost
        self.name = name
        self.definition = definition
        self.static = static
        self.forwarded = 0
        self.since = _now()
        self.source_uri: AmqpUri | MqttUri | None = None
        self.destination_uri: AmqpUri | MqttUri | None = None
        self._context = context
        self._state = "starting"
        self._reason: str | None = None
        self._pump: Pump[Any] | None = None
        self._scope = trio.CancelScope()
        self._over = trio.Event()
        self._remaining: int | None = None
        self._ran_from_s = math.inf
        self._again = trio.Event()
        self._memories: dict[tuple[str, str, int], ClientMemory] = {}

    # What it says of itself

    @property
    def state(self) -> str:
        return "blocked" if self._state == "running" and self.blocked is not None else self._state

    @property
    def reason(self) -> str | None:
        return self.blocked if self._state == "running" else self._reason

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

    # What is done with it

    async def run(self, done: Callable[[], None]) -> None:
        """Work until cancelled, or until enough was moved.  done: called then, to have the parameter removed."""
        try:
            with self._scope:
                await self._keep_running()
                done()
        finally:
            self._became("terminated", "stopped")
            self._over.set()

    def restart(self) -> None:
        """Give up the connections, and connect again at once."""
        self._again.set()

    def cancel(self) -> None:
        """End it."""
        self._scope.cancel()

    async def wait_over(self) -> None:
        """Return when it has ended, and its connections are closed."""
        await self._over.wait()

    # Below

    async def _keep_running(self) -> None:
        log = self._context.log
        least_s = self.definition.reconnect_delay_s
        pause_s = least_s
        while True:
            self._again = trio.Event()
            self._ran_from_s = math.inf
            try:
                if await self._run_once():
                    log.info("shovel '%s' in virtual host '%s' has moved what it was to move", self.name, self.vhost)
                    return
                pause_s = least_s
                continue
            except PeerError as error:
                reason = error.text
            except Exception:
                log.exception("shovel '%s' in virtual host '%s' failed; it is tried again", self.name, self.vhost)
                reason = "an internal error, which is in the log"
            finally:
                self._pump = None
            if trio.current_time() - self._ran_from_s >= STEADY_S:
                pause_s = least_s
            if reason != self._reason:
                log.warning("shovel '%s' in virtual host '%s' doesn't run: %s", self.name, self.vhost, reason)
            self._became("terminated", reason)
            if not least_s:
                await self._again.wait()
                continue
            with trio.move_on_after(pause_s * random.uniform(1 - JITTER, 1 + JITTER)):
                await self._again.wait()
            pause_s = min(pause_s * PAUSE_GROWTH, max(PAUSE_MOST_S, least_s))

    async def _run_once(self) -> bool:
        """Connect and pump; True when enough was moved, False when it was asked to start anew."""
        if self._state != "terminated":
            self._became("starting", None)
        finished = False
        async with trio.open_nursery() as peers, trio.open_nursery() as nursery:
            failures: list[PeerError] = []

            async def pump() -> None:
                nonlocal finished
                try:
                    await self._connect_and_pump(peers)
                    finished = True
                except PeerError as error:
                    failures.append(error)
                nursery.cancel_scope.cancel()

            nursery.start_soon(pump)
            await self._again.wait()
            nursery.cancel_scope.cancel()
        if failures:
            raise failures[0]
        return finished

    async def _connect_and_pump(self, peers: trio.Nursery) -> None:
        definition = self.definition
        async with AsyncExitStack() as held:
            destination = await self._destination(peers, held)
            source = await self._source(peers, held)
            if definition.delete_after == QUEUE_LENGTH and self._remaining is None:
                self._remaining = source.waiting or 0
            if self._remaining == 0:
                return
            pump: Pump[Any] = Pump(
                source,
                destination,
                self._rewriting(),
                ack_mode=definition.ack_mode,
                remaining=self._remaining,
                rate_max=definition.rate_max,
                moved=self._moved,
            )
            self._pump = pump
            self._became("running", None)
            self._ran_from_s = trio.current_time()
            await pump.run()

    async def _source(self, peers: trio.Nursery, held: AsyncExitStack) -> Source[Any]:
        definition, mode = self.definition.source, self.definition.ack_mode
        if self._remaining is None and isinstance(self.definition.delete_after, int):
            self._remaining = self.definition.delete_after
        prefetch = self.definition.prefetch
        if self._remaining is not None and mode != NO_ACK:
            prefetch = max(1, min(prefetch, self._remaining))
        if isinstance(definition, MqttSourceDefinition):
            mqtt_uri = self.source_uri = pick(definition.uris)
            mqtt_peer = await self._mqtt_peer(peers, held, mqtt_uri, definition.client, "source", prefetch)
            return await mqtt_ends.open_source(mqtt_peer, definition)
        uri = self.source_uri = pick(definition.uris)
        if not uri.host:
            client = await self._client(uri, held)
            return await local_ends.open_source(client, held, definition, mode, prefetch)
        peer = await self._amqp_peer(peers, held, uri)
        return await amqp_ends.open_source(peer, definition, mode, prefetch)

    async def _destination(self, peers: trio.Nursery, held: AsyncExitStack) -> Destination:
        definition, mode = self.definition.destination, self.definition.ack_mode
        if isinstance(definition, MqttDestinationDefinition):
            mqtt_uri = self.destination_uri = pick(definition.uris)
            return mqtt_ends.MqttDestination(
                await self._mqtt_peer(peers, held, mqtt_uri, definition.client, "destination", RECEIVE_MAXIMUM_MAX),
                definition,
            )
        uri = self.destination_uri = pick(definition.uris)
        if not uri.host:
            client = await self._client(uri, held)
            return await local_ends.open_destination(client, definition, mode)
        peer = await self._amqp_peer(peers, held, uri)
        return await amqp_ends.open_destination(peer, definition, mode)

    async def _amqp_peer(self, peers: trio.Nursery, held: AsyncExitStack, uri: AmqpUri) -> AmqpPeer:
        peer = await connect_amqp(
            peers, uri, product=PRODUCT, version=self._context.facts.version, name=f"Shovel {self.name}"
        )
        held.push_async_callback(peer.aclose)
        return peer

    async def _mqtt_peer(
        self,
        peers: trio.Nursery,
        held: AsyncExitStack,
        uri: MqttUri,
        client: MqttClientDefinition,
        end: str,
        prefetch: int,
    ) -> MqttPeer:
        own_id = f"shovel {self.name} {end} {self.vhost} {self._context.facts.cluster_name}"
        login = mqtt_ends.login_of(client, uri, own_id, prefetch)
        peer = await connect_mqtt(
            peers, uri, login, self._memories.setdefault((end, uri.host, uri.port), ClientMemory())
        )
        held.push_async_callback(peer.aclose)
        return peer

    async def _client(self, uri: AmqpUri, held: AsyncExitStack) -> BrokerClient:
        """This broker itself: by the user that the URI names, or as the broker."""
        try:
            return await held.enter_async_context(
                self._context.connect(uri.user, uri.vhost, name=f"Shovel {self.name}")
            )
        except (BrokerError, DirectError) as error:
            raise PeerError(local_ends.words(error)) from error

    def _rewriting(self) -> Rewriting:
        return Rewriting(
            self.definition,
            name=self.name,
            vhost=self.vhost,
            kind="static" if self.static else "dynamic",
            cluster_name=self._context.facts.cluster_name,
            source_uri=(self.source_uri or self.definition.source.uris[0]).shown,
            destination_uri=(self.destination_uri or self.definition.destination.uris[0]).shown,
        )

    def _moved(self, count: int) -> None:
        self.forwarded += count
        if self._remaining is not None:
            self._remaining -= count

    def _became(self, state: str, reason: str | None) -> None:
        if (state, reason) != (self._state, self._reason):
            self.since = _now()
        self._state, self._reason = state, reason


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
