"""All shovels: as the runtime parameters and the configuration want them, each a worker that touches no other."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

import trio

from warren.core.administration.operations.parameters import clear_parameter
from warren.core.configuration.key import Key, configured, keys_of
from warren.core.errors import NoSuchParameter
from warren.gateway.plugin import (
    VHOST,
    Answer,
    CheckParameter,
    Column,
    Context,
    Control,
    Kind,
    Plugin,
    PreconditionFailed,
    RefusedError,
    Request,
    Row,
    Word,
    done,
    listing,
    word,
)
from warren.plugins.shovel.definition import (
    MqttDestinationDefinition,
    MqttSourceDefinition,
    ShovelDefinition,
    read_definition,
)
from warren.plugins.shovel.stomp_definition import StompDestinationDefinition, StompSourceDefinition
from warren.plugins.shovel.worker import Worker

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.storage.definitions.store import JSON

COMPONENT: Final = "shovel"
DEFAULT_VHOST: Final = "/"

StaticShovels: TypeAlias = "tuple[tuple[str, ShovelDefinition], ...]"
"""Shovels by name, as the configuration has them."""

NO_SHOVELS: Final[StaticShovels] = ()


def check_shovel(vhost: str, name: str, value: JSON) -> None:
    """The validator of the runtime parameters of the component `shovel`."""
    read_definition(value)


def static_shovels(value: object) -> StaticShovels:
    """The parser of the key `shovel_static`: a table of shovels by name, or JSON of one."""
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else {}
        except ValueError:
            raise ValueError("a table of shovels by name, or such a table as JSON") from None
    if not isinstance(value, dict):
        raise ValueError("a table of shovels by name")
    found = []
    for name, each in value.items():
        try:
            found.append((name, read_definition(each)))
        except PreconditionFailed as error:
            raise ValueError(f"shovels that can be used; '{name}' can't: {error.text}") from None
    return tuple(found)


@dataclass(frozen=True, slots=True)
class ShovelSettings:
    """Of the configuration."""

    static: StaticShovels = configured(
        Key(
            "shovel_static",
            static_shovels,
            NO_SHOVELS,
            "Shovels by name, each a table with the keys of a runtime parameter `shovel`; see docs/shovel.md.",
            secret=True,
        )
    )


class ShovelRow(Row):
    """A line of `warren ctl shovel_status`."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    @Column
    def name(self) -> str:
        """Its name."""
        return self._worker.name

    @Column
    def vhost(self) -> str:
        """The virtual host that it is declared in."""
        return self._worker.vhost

    @Column
    def type(self) -> str:
        """dynamic: by a runtime parameter; static: by the configuration."""
        return "static" if self._worker.static else "dynamic"

    @Column
    def state(self) -> str:
        """starting, running, blocked (by the destination) or terminated (it is tried again)."""
        return self._worker.state

    @Column
    def reason(self) -> str:
        """Why it isn't running; empty if it is."""
        return self._worker.reason or ""

    @Column
    def timestamp(self) -> str:
        """Since when it has been in its state, UTC."""
        return self._worker.since

    @Column
    def src_uri(self) -> str:
        """Where it takes messages from, without password and parameters."""
        worker = self._worker
        return (worker.source_uri or worker.definition.source.uris[0]).shown

    @Column
    def src_queue(self) -> str:
        """The queue there; empty for an exchange."""
        return self._of_source("queue")

    @Column
    def src_exchange(self) -> str:
        """The exchange there; empty for a queue."""
        return self._of_source("exchange")

    @Column
    def src_exchange_key(self) -> str:
        """The binding key to that exchange."""
        return self._of_source("exchange_key")

    @Column
    def src_topics(self) -> str:
        """The topic filters there, over MQTT."""
        source = self._worker.definition.source
        return " ".join(source.topics) if isinstance(source, MqttSourceDefinition) else ""

    @Column
    def src_destination(self) -> str:
        """The destinations there, over STOMP."""
        source = self._worker.definition.source
        return " ".join(source.destinations) if isinstance(source, StompSourceDefinition) else ""

    @Column
    def dest_uri(self) -> str:
        """Where it brings them."""
        worker = self._worker
        return (worker.destination_uri or worker.definition.destination.uris[0]).shown

    @Column
    def dest_queue(self) -> str:
        """The queue there; empty for an exchange."""
        return self._of_destination("queue")

    @Column
    def dest_exchange(self) -> str:
        """The exchange there; empty for a queue, or for each message's own."""
        return self._of_destination("exchange")

    @Column
    def dest_exchange_key(self) -> str:
        """The routing key there; empty for each message's own."""
        return self._of_destination("exchange_key")

    @Column
    def dest_topic(self) -> str:
        """The topic there, over MQTT, where `{topic}` is each message's own."""
        destination = self._worker.definition.destination
        return destination.topic if isinstance(destination, MqttDestinationDefinition) else ""

    @Column
    def dest_destination(self) -> str:
        """The destination there, over STOMP, where `{destination}` and the like are each message's own."""
        destination = self._worker.definition.destination
        return destination.destination if isinstance(destination, StompDestinationDefinition) else ""

    @Column
    def pending(self) -> int:
        """Messages under way: sent, and not yet confirmed."""
        return self._worker.pending

    @Column
    def remaining(self) -> int:
        """Messages that are still to be moved; -1 without an end."""
        remaining = self._worker.remaining
        return -1 if remaining is None else remaining

    @Column
    def forwarded(self) -> int:
        """Messages that it has moved since the broker started."""
        return self._worker.forwarded

    def _of_source(self, name: str) -> str:
        """What only AMQP's ends have; empty for the others."""
        return getattr(self._worker.definition.source, name, None) or ""

    def _of_destination(self, name: str) -> str:
        return getattr(self._worker.definition.destination, name, None) or ""


class ShovelPlugin(Plugin):
    """See the head of this file."""

    name = "shovel"
    about = "moves messages between brokers, and keeps them until that is done"
    keys = tuple(keys_of(ShovelSettings))
    components: ClassVar[Mapping[str, CheckParameter]] = {COMPONENT: check_shovel}

    def __init__(self) -> None:
        self._workers: dict[tuple[str, str], Worker] = {}
        self._ending: dict[tuple[str, str], Worker] = {}
        self._context: Context | None = None

    def words(self) -> Sequence[Word]:
        named = (VHOST,)
        return (
            word("[COLUMN]...", "shovels, and how they are", "Listing shovels ...")(self.shovel_status),
            word("NAME", "connect a shovel anew, at once", "Restarting shovel '{0}' ...", options=named)(
                self.restart_shovel
            ),
            word("NAME", "stop a shovel, and remove its parameter", "Deleting shovel '{0}' ...", options=named)(
                self.delete_shovel
            ),
        )

    async def shovel_status(self, control: Control, request: Request) -> Answer:
        return await listing(control, "shovels", request.arguments)

    async def restart_shovel(self, control: Control, request: Request) -> Answer:
        self._named(request).restart()
        return done()

    async def delete_shovel(self, control: Control, request: Request) -> Answer:
        worker = self._named(request)
        if worker.static:
            raise RefusedError(f"shovel '{worker.name}' is declared in the configuration: remove it there")
        self._clear(worker.vhost, worker.name)
        return done()

    def listings(self) -> Sequence[Kind]:
        def rows(broker: Broker, vhosts: Collection[str] | None) -> Iterator[ShovelRow]:
            workers = list(self._workers.values())
            return (ShovelRow(worker) for worker in workers if vhosts is None or worker.vhost in vhosts)

        shown = ("name", "vhost", "type", "state", "reason", "timestamp", "src_uri", "dest_uri", "forwarded")
        return (Kind("shovels", ShovelRow, rows, lambda broker, vhosts: len(self._workers), shown=shown),)

    def counters(self) -> Mapping[str, float]:
        workers = self._workers.values()
        return {
            "shovels": len(workers),
            "running": sum(worker.state == "running" for worker in workers),
            "forwarded": sum(worker.forwarded for worker in workers),
        }

    async def start(self, context: Context) -> None:
        self._context = context
        async with trio.open_nursery() as nursery:
            for name, definition in context.options.section(ShovelSettings).static:
                self._begin(nursery, Worker(context, DEFAULT_VHOST, name, definition, static=True))
            async for change in context.parameters(COMPONENT):
                before = self._workers.get((change.vhost, change.name))
                if before is not None and before.static:
                    continue
                if before is not None:
                    del self._workers[change.vhost, change.name]
                    before.cancel()
                    self._ending[change.vhost, change.name] = before
                before = self._ending.get((change.vhost, change.name))
                if not change.removed:
                    definition = read_definition(change.value)
                    self._begin(nursery, Worker(context, change.vhost, change.name, definition, static=False), before)

    def _begin(self, nursery: trio.Nursery, worker: Worker, before: Worker | None = None) -> None:
        """Have a worker run; not before the one that it replaces has let go of its connections."""

        async def run() -> None:
            if before is not None:
                await before.wait_over()
                if self._ending.get((worker.vhost, worker.name)) is before:
                    del self._ending[worker.vhost, worker.name]
            await worker.run(lambda: None if worker.static else self._clear(worker.vhost, worker.name))

        self._workers[worker.vhost, worker.name] = worker
        nursery.start_soon(run)

    def _clear(self, vhost: str, name: str) -> None:
        assert self._context is not None
        try:
            clear_parameter(self._context.broker, vhost, COMPONENT, name)
        except NoSuchParameter:
            return
        self._context.changed()

    def _named(self, request: Request) -> Worker:
        name, vhost = request.arguments[0], request.vhost
        worker = self._workers.get((vhost, name))
        if worker is None:
            known = ", ".join(f"'{each}'" for where, each in self._workers if where == vhost)
            raise RefusedError(
                f"no shovel '{name}' in virtual host '{vhost}'" + (f"; there are {known}" if known else "")
            )
        return worker
