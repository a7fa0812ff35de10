"""All shovels: as the runtime parameters and the configuration want them, each a worker that touches no other."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

import trio

from warren.adapters.amqp091.client.uri import AmqpUri
from warren.core.administration.operations.parameters import clear_parameter
from warren.core.configuration.key import Key, configured, keys_of
from warren.core.errors import NoSuchParameter
from warren.core.frozen import frozen
from warren.gateway.plugin import (
    VHOST,
    Answer,
    CheckParameter,
    Context,
    Control,
    Kind,
    Option,
    Plugin,
    PreconditionFailed,
    Reached,
    RefusedError,
    Request,
    Word,
    done,
    listing,
    word,
)
from warren.plugins.shovel.buffer_definition import BufferDefinition
from warren.plugins.shovel.buffering import finish_buffer, owner_of, reconcile
from warren.plugins.shovel.definition import ShovelDefinition, read_definition
from warren.plugins.shovel.far_ends import Shared, own_id
from warren.plugins.shovel.left_behind import left_behind
from warren.plugins.shovel.left_file import LeftFile
from warren.plugins.shovel.row import SHOWN, ShovelRow
from warren.plugins.shovel.worker import Worker

if TYPE_CHECKING:
    from warren.adapters.interface import Options
    from warren.core.broker import Broker
    from warren.core.storage.definitions.store import JSON

COMPONENT: Final = "shovel"
DEFAULT_VHOST: Final = "/"

FORCE: Final = Option("force")
"""Also what belongs to something else."""

StaticShovels: TypeAlias = "tuple[tuple[str, ShovelDefinition], ...]"
"""Shovels by name, as the configuration has them."""

NO_SHOVELS: Final[StaticShovels] = ()


def check_shovel(vhost: str, name: str, value: JSON) -> None:
    """The validator of the runtime parameters of the component `shovel`."""
    read_definition(value)


def reached(value: JSON) -> Iterator[tuple[str, str | None]]:
    """The virtual hosts of this broker that a shovel reaches without a socket, and as whom."""
    definition = read_definition(value)
    for end in (definition.source, definition.destination):
        for uri in end.uris:
            if isinstance(uri, AmqpUri) and not uri.host:
                yield uri.vhost, uri.user


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
            found.append((name, read_definition(each, static=True)))
        except PreconditionFailed as error:
            raise ValueError(f"shovels that can be used; '{name}' can't: {error.text}") from None
    return tuple(found)


@frozen
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


class ShovelPlugin(Plugin):
    """See the head of this file."""

    name = "shovel"
    about = "moves messages between brokers, and keeps them until that is done"
    keys = tuple(keys_of(ShovelSettings))
    components: ClassVar[Mapping[str, CheckParameter]] = {COMPONENT: check_shovel}
    reached: ClassVar[Mapping[str, Reached]] = {COMPONENT: reached}

    def __init__(self) -> None:
        self._workers: dict[tuple[str, str], Worker] = {}
        self._ending: dict[tuple[str, str], Worker] = {}
        self._context: Context | None = None

    def words(self) -> Sequence[Word]:
        named = (VHOST,)
        return (
            word(
                "[COLUMN]...", "shovels, and how they are", "Listing shovels ...", example="name state", lists="shovels"
            )(self.shovel_status),
            word(
                "NAME",
                "connect a shovel anew, at once",
                "Restarting shovel '{0}' ...",
                options=named,
                example="upstairs",
            )(self.restart_shovel),
            word(
                "NAME",
                "stop a shovel, and remove its parameter",
                "Deleting shovel '{0}' ...",
                options=(VHOST, FORCE),
                example="upstairs",
            )(self.delete_shovel),
        )

    async def shovel_status(self, control: Control, request: Request) -> Answer:
        return await listing(control, "shovels", request.arguments)

    async def restart_shovel(self, control: Control, request: Request) -> Answer:
        self._named(request).restart()
        return done()

    async def delete_shovel(self, control: Control, request: Request) -> Answer:
        try:
            self._delete(self._named(request), force=bool(request.options.get(FORCE.name)))
        except PreconditionFailed as error:
            raise RefusedError(error.text) from None
        return done()

    def _delete(self, worker: Worker, *, force: bool) -> None:
        """Remove its parameter; PreconditionFailed where that is somebody else's to do."""
        if worker.static:
            raise PreconditionFailed(f"shovel '{worker.name}' is declared in the configuration: remove it there")
        if worker.definition.internal and not force:
            owner = worker.definition.owner or "something else in the broker"
            raise PreconditionFailed(
                f"shovel '{worker.name}' is internal: it belongs to {owner}, which ends it; --force deletes it as well"
            )
        self._clear(worker.vhost, worker.name)

    def listings(self) -> Sequence[Kind]:
        def rows(broker: Broker, vhosts: Collection[str] | None) -> Iterator[ShovelRow]:
            workers = list(self._workers.values())
            return (ShovelRow(worker) for worker in workers if vhosts is None or worker.vhost in vhosts)

        def restart(row: ShovelRow) -> None:
            row.worker.restart()

        def delete(row: ShovelRow) -> None:
            self._delete(row.worker, force=False)

        actions = {"restart": restart, "delete": delete}
        return (
            Kind("shovels", ShovelRow, rows, lambda broker, vhosts: len(self._workers), shown=SHOWN, actions=actions),
        )

    def counters(self) -> Mapping[str, float]:
        workers = self._workers.values()
        return {
            "shovels": len(workers),
            "running": sum(worker.state == "running" for worker in workers),
            "forwarded": sum(worker.forwarded for worker in workers),
            "left_out": sum(worker.left_out for worker in workers),
            "dead_lettered": sum(worker.dead_lettered for worker in workers),
            "rate": sum(worker.lag.rate for worker in workers),
            "lag_messages": sum(worker.lag.messages or 0 for worker in workers),
            "lag_bytes": sum(worker.lag.bytes or 0 for worker in workers),
        }

    @classmethod
    def prepare(cls, broker: Broker, options: Options) -> None:
        """Quotas hold, and publishers wait for the destination's word, from the first publish on."""
        wanted: dict[str, BufferDefinition] = {}
        for found in broker.parameters.find(component=COMPONENT):
            try:
                buffer = read_definition(found.value).buffer
            except PreconditionFailed:
                continue
            if buffer is not None:
                wanted[owner_of(found.vhost, found.name)] = buffer
        for name, definition in options.section(ShovelSettings).static:
            if definition.buffer is not None:
                wanted[owner_of(DEFAULT_VHOST, name)] = definition.buffer
        reconcile(broker, wanted)

    @classmethod
    def leave(cls, broker: Broker) -> None:
        """Without shovels nothing is a buffer of one, as in a broker that starts without them."""
        reconcile(broker, {})

    async def start(self, context: Context) -> None:
        self._context = context
        left = LeftFile(context.facts.data_directory, context.log)
        await left.load()
        shared = Shared(left)
        self.prepare(context.broker, context.options)
        context.changed()
        async with trio.open_nursery() as nursery:
            for name, definition in context.options.section(ShovelSettings).static:
                self._begin(nursery, Worker(context, DEFAULT_VHOST, name, definition, shared, static=True))
            nursery.start_soon(self._end_unwanted, left)
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
                    worker = Worker(context, change.vhost, change.name, definition, shared, static=False)
                    self._begin(nursery, worker, before)
                elif before is not None:
                    nursery.start_soon(self._see_off, before)

    async def _end_unwanted(self, left: LeftFile) -> None:
        """What shovels have left at other brokers that were changed or removed while this one didn't run, ends."""
        context = self._context
        assert context is not None
        found = [(DEFAULT_VHOST, *each) for each in context.options.section(ShovelSettings).static]
        for each in context.broker.parameters.find(component=COMPONENT):
            with suppress(PreconditionFailed):
                found.append((each.vhost, each.name, read_definition(each.value)))
        cluster = context.facts.cluster_name
        wanted = [
            kept.key
            for vhost, name, definition in found
            for kept in left_behind(definition, partial(own_id, vhost, name, cluster))
        ]
        await left.end_unwanted([definition for _, _, definition in found], wanted)

    def _begin(self, nursery: trio.Nursery, worker: Worker, before: Worker | None = None) -> None:
        """Have a worker run; not before the one that it replaces has let go of its connections."""

        async def run() -> None:
            if before is not None:
                await self._see_off(before)
            await worker.run(lambda: self._done(worker))
            if worker.static:
                await worker.end_left_behind(None)

        self._workers[worker.vhost, worker.name] = worker
        nursery.start_soon(run)

    async def _see_off(self, before: Worker) -> None:
        """Wait for the end of a worker that isn't wanted any more, and let go of what the next one doesn't need."""
        await before.wait_over()
        key = before.vhost, before.name
        if self._ending.get(key) is before:
            del self._ending[key]
        after = self._workers.get(key)
        self._let_go(before, after)
        await before.end_left_behind(after)

    def _let_go(self, before: Worker, after: Worker | None) -> None:
        assert self._context is not None
        buffer = before.definition.buffer
        following = None if after is None else after.definition.buffer
        if buffer is None or (
            following is not None and (following.vhost, following.queue) == (buffer.vhost, buffer.queue)
        ):
            return
        finish_buffer(self._context.broker, owner_of(before.vhost, before.name), buffer)
        self._context.changed()

    def _done(self, worker: Worker) -> None:
        """It has moved what it was to move."""
        if worker.static:
            self._let_go(worker, None)
        else:
            self._clear(worker.vhost, worker.name)

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
