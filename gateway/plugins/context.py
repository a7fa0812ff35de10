"""One run's context: what the plugin uses of the broker, and what is withdrawn when the run is over."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import trio

    from warren.adapters.interface import Options
    from warren.core.access.accounts import User
    from warren.core.broker import Broker
    from warren.core.message_observer import MessageObserver
    from warren.gateway.control.target import Permitted
    from warren.gateway.plugin import App, BrokerClient, ByteStream, Facts, ParameterChange, Resources, Watcher
    from warren.gateway.plugins.mounts import MountTable
    from warren.gateway.plugins.parameters import PluginComponent
    from warren.gateway.plugins.surroundings import Surroundings


class RunContext:
    """Implements warren.gateway.plugin.Context, where everything is explained."""

    def __init__(
        self,
        plugin: str,
        surroundings: Surroundings,
        components: Mapping[str, PluginComponent],
        log: logging.Logger,
        nursery: trio.Nursery,
    ) -> None:
        self._plugin = plugin
        self._surroundings = surroundings
        self._components = components
        self._withdrawals: dict[Callable[[], None], None] = {}
        self.options: Options = surroundings.options
        self.mounts: MountTable = surroundings.mounts
        self.log = log
        self.nursery = nursery

    @property
    def broker(self) -> Broker:
        return self._surroundings.broker

    @property
    def facts(self) -> Facts:
        return self._surroundings.facts()

    def connect(
        self, user: User | str | None = None, vhost: str = "/", *, name: str = ""
    ) -> AbstractAsyncContextManager[BrokerClient]:
        return self._connect(user, vhost, name or self._plugin)

    @asynccontextmanager
    async def _connect(self, user: User | str | None, vhost: str, name: str) -> AsyncIterator[BrokerClient]:
        async with self._surroundings.clients().connect(user, vhost, name) as client:
            # One whose block is never left, by a plugin that forgets it, goes with the run all the same.
            self._withdrawals[client.close] = None
            try:
                yield client
            finally:
                self._withdrawals.pop(client.close, None)

    def parameters(self, component: str) -> AsyncIterator[ParameterChange]:
        found = self._components[component]
        reader = found.reader()
        self._withdrawals[lambda: found.forget(reader)] = None
        return reader

    def mount(self, path: str, app: App) -> None:
        mount = self.mounts.add(path, app, self._plugin, self.log)
        self._withdrawals[lambda: self.mounts.remove(mount)] = None

    async def serve(self, listener: str, handler: Callable[[ByteStream], Awaitable[None]], path: str = "") -> None:
        from warren.gateway.plugins.streams import serve

        await serve(self.broker, listener, handler, self._surroundings.changed, self.log, path)

    def resources(self) -> Resources:
        return self._surroundings.resources()

    def counters(self) -> Mapping[str, Mapping[str, float]]:
        return self._surroundings.counters()

    def watch(self, watcher: Watcher) -> None:
        watchers = self.broker.watchers
        watchers.add(watcher)
        self._withdrawals[lambda: watchers.remove(watcher)] = None

    def observe_messages(self, observer: MessageObserver) -> None:
        broker = self.broker
        broker.observe_messages(observer)
        self._withdrawals[lambda: broker.observe_messages(None)] = None

    def changed(self) -> None:
        self._surroundings.changed()

    async def kept(self) -> None:
        await self._surroundings.kept()

    async def carry_out(self, request: bytes, permitted: Permitted) -> Iterator[bytes]:
        return await self._surroundings.carry_out(request, permitted)

    def withdraw(self) -> None:
        """The run is over."""
        withdrawals, self._withdrawals = self._withdrawals, {}
        for withdraw in withdrawals:
            withdraw()
