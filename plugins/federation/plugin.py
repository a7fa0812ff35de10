"""Federation: parameters, words, listing, counters; the links themselves are in links.py."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

import trio

from warren.gateway.plugin import (
    Answer,
    BrokerError,
    CheckParameter,
    Context,
    Control,
    Kind,
    Option,
    Plugin,
    RefusedError,
    Request,
    Word,
    done,
    listing,
    word,
)
from warren.plugins.federation.kept import Kept
from warren.plugins.federation.link import Link
from warren.plugins.federation.links import Links
from warren.plugins.federation.listing import LinkRow
from warren.plugins.federation.upstream import read_set, read_upstream
from warren.plugins.federation.upstream_exchange import UpstreamExchange

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.storage.definitions.store import JSON

UPSTREAM: Final = "federation-upstream"
UPSTREAM_SET: Final = "federation-upstream-set"
"""The components of runtime parameters."""

LISTING: Final = "federation_links"
ONLY_DOWN: Final = Option("only_down")
RUNNING: Final = "running"


def check_upstream(vhost: str, name: str, value: JSON) -> None:
    """The validator of the runtime parameters of the component `federation-upstream`."""
    read_upstream(name, value)


def check_set(vhost: str, name: str, value: JSON) -> None:
    """The validator of the runtime parameters of the component `federation-upstream-set`."""
    read_set(value)


class FederationPlugin(Plugin):
    """See the head of this file."""

    name = "federation"
    about = "brings exchanges and queues their messages from other brokers"
    components: ClassVar[Mapping[str, CheckParameter]] = {UPSTREAM: check_upstream, UPSTREAM_SET: check_set}
    exchange_types = (UpstreamExchange,)

    def __init__(self) -> None:
        self._links: Links | None = None

    def words(self) -> Sequence[Word]:
        return (
            word(
                "[COLUMN]...",
                "federation links, and how they are",
                "Listing federation links ...",
                options=(ONLY_DOWN,),
                example="--only-down",
                lists=LISTING,
            )(self.federation_status),
            word("ID", "connect a federation link anew, at once", "Restarting federation link {0} ...", example="7f3a")(
                self.restart_federation_link
            ),
        )

    async def federation_status(self, control: Control, request: Request) -> Answer:
        if not request.options.get(ONLY_DOWN.name):
            return await listing(control, LISTING, request.arguments)
        wanted = [part for each in request.arguments for part in each.split(",") if part]
        shown = wanted or list(self.listings()[0].shown)
        answer = await listing(control, LISTING, [*shown, "status"])
        rows = answer["rows"]
        assert isinstance(rows, list)
        down = [{name: row[name] for name in shown} for row in rows if row["status"] != RUNNING]
        return {**answer, "columns": shown, "rows": down}

    async def restart_federation_link(self, control: Control, request: Request) -> Answer:
        for link in self.links:
            if link.key.id == request.arguments[0] and not link.retired:
                link.restart()
                return done()
        raise RefusedError(f"no federation link '{request.arguments[0]}'; federation_status shows the ids")

    @property
    def links(self) -> list[Link]:
        """All that there are."""
        return [] if self._links is None else list(self._links)

    def listings(self) -> Sequence[Kind]:
        def rows(broker: Broker, vhosts: Collection[str] | None) -> Iterator[LinkRow]:
            links = self.links
            return (LinkRow(link) for link in links if vhosts is None or link.key.target.vhost in vhosts)

        shown = ("exchange", "queue", "upstream", "vhost", "status", "error", "uri", "timestamp", "id", "forwarded")

        def restart(row: LinkRow) -> None:
            row.link.restart()

        actions = {"restart": restart}
        return (Kind(LISTING, LinkRow, rows, lambda broker, vhosts: len(self.links), shown=shown, actions=actions),)

    def counters(self) -> Mapping[str, float]:
        links = self.links
        return {
            "links": len(links),
            "running": sum(link.status == RUNNING for link in links),
            "forwarded": sum(link.ground.forwarded for link in links),
            "dropped": sum(link.ground.dropped for link in links),
        }

    async def start(self, context: Context) -> None:
        async with trio.open_nursery() as nursery:
            kept = Kept(context.facts.data_directory, context.log)
            await kept.load()
            links = self._links = Links(context, nursery, kept)
            context.watch(links)
            # All parameters before any link, so that none is begun to be replaced at once.
            for component, put in ((UPSTREAM, self._put_upstream), (UPSTREAM_SET, self._put_set)):
                for found in context.broker.parameters.find(component=component):
                    try:
                        put(links, found.vhost, found.name, found.value)
                    except BrokerError:
                        continue
            nursery.start_soon(self._follow_upstreams, context, links)
            nursery.start_soon(self._follow_sets, context, links)
            await links.run()

    async def _follow_upstreams(self, context: Context, links: Links) -> None:
        async for change in context.parameters(UPSTREAM):
            if change.removed:
                links.upstream_cleared(change.vhost, change.name)
            else:
                self._put_upstream(links, change.vhost, change.name, change.value)

    async def _follow_sets(self, context: Context, links: Links) -> None:
        async for change in context.parameters(UPSTREAM_SET):
            if change.removed:
                links.set_cleared(change.vhost, change.name)
            else:
                self._put_set(links, change.vhost, change.name, change.value)

    def _put_upstream(self, links: Links, vhost: str, name: str, value: JSON) -> None:
        links.upstream_set(vhost, read_upstream(name, value))

    def _put_set(self, links: Links, vhost: str, name: str, value: JSON) -> None:
        links.set_set(vhost, name, read_set(value))
