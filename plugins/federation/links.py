"""All links: as parameters and policies want them, and as exchanges and queues come and go.

What has changed is noted by whoever learns of it; one task looks at it afterwards, at each exchange or queue that may
be concerned, and begins and ends links until they are those that are wanted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import trio

from warren.core.exchanges.fanout import FanoutExchange
from warren.core.queues.registry import is_queue_type
from warren.plugins.bridging.turnstile import Turnstile
from warren.plugins.federation.kept import Kept, LinkKey, TargetKey
from warren.plugins.federation.link import WORKS, Link
from warren.plugins.federation.resolving import Upstreams, is_federated

if TYPE_CHECKING:
    from warren.core.exchanges.base import Exchange
    from warren.core.exchanges.binding import Binding
    from warren.core.queues.base import Queue
    from warren.gateway.plugin import Context
    from warren.plugins.federation.upstream import SetElement, Upstream

TARGETS_AT_ONCE: Final = 100
"""Exchanges and queues whose links are looked at before others have a turn."""

INTERNAL_PURPOSE: Final = "x-internal-purpose"
"""An argument of what plugins have made for themselves, which no policy is meant for."""


class Links:
    """Implements core.watchers.Watcher."""

    def __init__(self, context: Context, nursery: trio.Nursery, kept: Kept) -> None:
        self._context = context
        self._kept = kept
        self._nursery = nursery
        self._upstreams: dict[str, Upstreams] = {}
        self._by_target: dict[TargetKey, dict[LinkKey, Link]] = {}
        self._ending: dict[TargetKey, dict[Link, None]] = {}
        self._federated: dict[TargetKey, None] = {}
        self._noted: dict[TargetKey, None] = {}
        self._news = trio.lowlevel.ParkingLot()
        self._turnstile = Turnstile()
        self._missing: dict[TargetKey, str] = {}

    def __iter__(self) -> Iterator[Link]:
        """Those that are wanted, then those that clean up."""
        for links in list(self._by_target.values()):
            yield from list(links.values())
        for ending in list(self._ending.values()):
            yield from list(ending)

    # What is told

    def upstream_set(self, vhost: str, upstream: Upstream) -> None:
        """A parameter declares this upstream."""
        self._of(vhost).upstreams[upstream.name] = upstream
        self._note_all_of(vhost)

    def upstream_cleared(self, vhost: str, name: str) -> None:
        """It is declared no more."""
        self._of(vhost).upstreams.pop(name, None)
        self._note_all_of(vhost)

    def set_set(self, vhost: str, name: str, elements: tuple[SetElement, ...]) -> None:
        """A parameter declares this set."""
        self._of(vhost).sets[name] = elements
        self._note_all_of(vhost)

    def set_cleared(self, vhost: str, name: str) -> None:
        """It is declared no more."""
        self._of(vhost).sets.pop(name, None)
        self._note_all_of(vhost)

    def policies_changed(self, target: Queue | Exchange) -> None:
        if target.vhost is None:
            return
        key = _key_of(target.vhost.name, target)
        if key in self._federated or is_federated(target.effective_policy):
            self._note(key)

    def gone(self, target: Queue | Exchange) -> None:
        if target.vhost is not None and (key := _key_of(target.vhost.name, target)) in self._federated:
            self._note(key)

    def bound(self, exchange: Exchange, binding: Binding) -> None:
        for link in self._links_of(exchange):
            link.work.bound(binding)

    def unbound(self, exchange: Exchange, bindings: Sequence[Binding]) -> None:
        for link in self._links_of(exchange):
            link.work.unbound(bindings)

    # What is done

    async def run(self) -> None:
        """Begin and end links until cancelled."""
        await self._find_all()
        await self._see_to_noted()
        await self._clean_up_former()
        while True:
            await self._see_to_noted()
            await self._news.park()

    async def _see_to_noted(self) -> None:
        while self._noted:
            for key in list(self._noted)[:TARGETS_AT_ONCE]:
                del self._noted[key]
                try:
                    self._see_to(key)
                except Exception:
                    self._context.log.exception("the federation of %s '%s' failed", key.kind, key.name)
            await trio.lowlevel.checkpoint()

    async def _clean_up_former(self) -> None:
        """What links of former runs have left at upstreams, whose exchanges aren't federated any more, is deleted."""
        for key in self._kept:
            if key in self._by_target.get(key.target, ()):
                continue
            upstream = self._of(key.target.vhost).upstreams.get(key.upstream)
            if upstream is None or key.target.kind != "exchange":
                self._context.log.warning(
                    "%s '%s' in virtual host '%s' is federated no more, and there is no upstream '%s' any more: what "
                    "the link had made there stays",
                    key.target.kind,
                    key.target.name,
                    key.target.vhost,
                    key.upstream,
                )
                await self._kept.discard(key, None)
                continue
            former = FanoutExchange(key.target.name)
            link = Link(self._context, self._kept, key, former, replace(upstream, exchange=key.there), self._turnstile)
            self._retire(link, clean=True)
            self._leave_to_others(key.target, [link])
            self._nursery.start_soon(self._end, link)

    async def _end(self, link: Link) -> None:
        await link.run()
        ending = self._ending.get(link.key.target)
        if ending is not None:
            ending.pop(link, None)
            if not ending:
                del self._ending[link.key.target]

    def _retire(self, link: Link, *, clean: bool) -> None:
        self._ending.setdefault(link.key.target, {})[link] = None
        link.retire(clean=clean)

    def _leave_to_others(self, key: TargetKey, retired: Sequence[Link]) -> None:
        """What a link has at its upstream isn't deleted where another one has the same, or waits for it."""
        for link in retired:
            for other in self._by_target.get(key, {}).values():
                if other.shares(link):
                    link.leave_to(other)

    async def _find_all(self) -> None:
        """What policies federate already."""
        for vhost in list(self._context.broker.vhosts.values()):
            targets: list[Exchange | Queue] = [*vhost.exchanges.values(), *vhost.queues.values()]
            for number, target in enumerate(targets):
                if is_federated(target.effective_policy):
                    self._note(_key_of(vhost.name, target))
                if number % 1000 == 0:
                    await trio.lowlevel.checkpoint()

    def _see_to(self, key: TargetKey) -> None:
        target = self._target(key)
        wanted = {} if target is None else self._wanted(key, target)
        links = self._by_target.get(key, {})
        retired = []
        for link_key, link in list(links.items()):
            upstream = wanted.get(link_key)
            if upstream is None or link.ground.target is not target or link.ground.upstream != upstream:
                del links[link_key]
                retired.append(link)
                self._retire(link, clean=upstream is None or not link.is_at(upstream))
        if target is not None:
            for link_key, upstream in wanted.items():
                if link_key not in links:
                    links[link_key] = self._begin(link_key, target, upstream)
        if links:
            self._by_target[key] = links
        else:
            self._by_target.pop(key, None)
        self._leave_to_others(key, retired)
        if target is None:
            self._federated.pop(key, None)
        else:
            self._federated[key] = None

    def _target(self, key: TargetKey) -> Exchange | Queue | None:
        """What is to be federated under these names; None if nothing is."""
        vhost = self._context.broker.vhosts.get(key.vhost)
        if vhost is None or key.kind not in WORKS:
            return None
        target = vhost.exchanges.get(key.name) if key.kind == "exchange" else vhost.queues.get(key.name)
        return target if target is not None and may_be_federated(target) else None

    def _wanted(self, key: TargetKey, target: Exchange | Queue) -> dict[LinkKey, Upstream]:
        policy = target.effective_policy
        upstreams = self._of(key.vhost)
        self._tell_missing(key, upstreams.missing(policy))
        found = {}
        for upstream in upstreams.of(policy):
            there = (upstream.exchange if key.kind == "exchange" else upstream.queue) or key.name
            found[LinkKey(key, upstream.name, there)] = upstream
        return found

    def _tell_missing(self, key: TargetKey, missing: str | None) -> None:
        if missing is None:
            self._missing.pop(key, None)
        elif self._missing.get(key) != missing:
            self._missing[key] = missing
            self._context.log.warning(
                "a policy federates %s '%s' in virtual host '%s', but %s", key.kind, key.name, key.vhost, missing
            )

    def _begin(self, key: LinkKey, target: Exchange | Queue, upstream: Upstream) -> Link:
        link = Link(self._context, self._kept, key, target, upstream, self._turnstile)
        before = [each for each in self._ending.get(key.target, ()) if each.shares(link)]
        for each in before:
            each.leave_to(link)

        async def run() -> None:
            for each in before:
                await each.wait_over()
            await self._end(link)

        self._nursery.start_soon(run)
        return link

    def _links_of(self, exchange: Exchange) -> list[Link]:
        if exchange.vhost is None:
            return []
        links = self._by_target.get(_key_of(exchange.vhost.name, exchange))
        return [link for link in links.values() if link.ground.target is exchange] if links else []

    def _of(self, vhost: str) -> Upstreams:
        found = self._upstreams.get(vhost)
        if found is None:
            found = self._upstreams[vhost] = Upstreams()
        return found

    def _note_all_of(self, vhost: str) -> None:
        for key in self._federated:
            if key.vhost == vhost:
                self._noted[key] = None
        self._news.unpark_all()

    def _note(self, key: TargetKey) -> None:
        self._noted[key] = None
        self._news.unpark_all()


def may_be_federated(target: Exchange | Queue) -> bool:
    """Whether policies may federate it: nothing that is internal, or that a link or plugin has made for itself.

    Nor queues of a type that no client can declare, as those of MQTT's sessions: they are nobody else's anywhere.
    """
    if INTERNAL_PURPOSE in target.arguments:
        return False
    if target.kind == "exchange":
        return not target.internal
    return target.owner is None and is_queue_type(target.type_name)


def _key_of(vhost: str, target: Exchange | Queue) -> TargetKey:
    return TargetKey(vhost, target.kind, target.name)
