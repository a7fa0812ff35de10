"""All plugins of one run of the broker.

host = PluginHost(names, surroundings...)     classes are loaded, their types and policy keys made known
host.register()                               runtime parameters: after the definitions are restored
host.prepare()                                before the first connection is accepted
host.start()                                  once connections are accepted
await host.add(class, options)                one more, while the broker runs
await host.remove(name)                       one less
await host.stop()                             before they and the stores are closed
host.close()                                  what the classes declared is forgotten
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from warren.core.errors import StorageError
from warren.gateway.configuration.plugins import PluginUnusableError, load_plugin
from warren.gateway.plugin import Plugin
from warren.gateway.plugins import registering
from warren.gateway.plugins.changing import check_disabling, check_enabling
from warren.gateway.plugins.listing import plugins_kind
from warren.gateway.plugins.mounts import MountTable
from warren.gateway.plugins.pauses import Pauses
from warren.gateway.plugins.supervised import SupervisedPlugin
from warren.gateway.plugins.surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warren.adapters.interface import Options
    from warren.core.broker import Broker
    from warren.gateway.authentication.back_end import AuthenticationBackEnd
    from warren.gateway.client.clients import Clients
    from warren.gateway.control.target import CarryOut
    from warren.gateway.control.word import Word
    from warren.gateway.plugin import Facts, Resources


class PluginHost:
    """See the head of this file.

    plugins: in the order of their start.  Raises StorageError, which ends the start, for a plugin that can't be loaded
    or declares what another one does.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.mounts = MountTable()
        self.plugins: list[SupervisedPlugin] = []
        self._classes: list[type[Plugin]] = []
        self._surroundings: Surroundings
        for name in names:
            try:
                self._declare(load_plugin(name), name)
            except (PluginUnusableError, StorageError) as error:
                self.close()
                raise StorageError(str(error)) from error

    def _declare(self, found: type[Plugin], name: str) -> None:
        """Make known what a class declares; StorageError where that can't be."""
        if not issubclass(found, Plugin):
            raise StorageError(f"the plugin '{name}' is no subclass of warren.gateway.plugin.Plugin")
        try:
            registering.register(found)
        except ValueError as error:
            raise StorageError(f"the plugin '{name}': {error}") from error
        self._classes.append(found)

    def register(
        self,
        broker: Broker,
        options: Options,
        clients: Callable[[], Clients],
        facts: Callable[[], Facts],
        changed: Callable[[], None],
        kept: Callable[[], Awaitable[None]],
        resources: Callable[[], Resources],
        carry_out: CarryOut,
    ) -> None:
        """Take the broker whose plugins these are, as Surroundings describes it."""
        self._surroundings = Surroundings(
            broker, options, self.mounts, clients, facts, changed, kept, resources, self.counters, carry_out
        )
        broker.listings.register(plugins_kind(self.plugins))
        for found in self._classes:
            self._supervise(found, self._surroundings)

    def _supervise(self, found: type[Plugin], surroundings: Surroundings) -> SupervisedPlugin:
        plugin = SupervisedPlugin(found, surroundings, Pauses(random.random))
        try:
            plugin.register_components()
        except ValueError as error:
            raise StorageError(f"the plugin '{plugin.name}': {error}") from error
        self.plugins.append(plugin)
        return plugin

    async def add(self, found: type[Plugin], options: Options) -> None:
        """Enable one more while the broker runs, and return when it has begun.  options: with the values of its keys.

        Raises StorageError, and nothing has changed, where that can't be: see changing.py, and as at a start.
        """
        check_enabling(found, self._surroundings.broker)
        self._declare(found, found.name)
        try:
            plugin = self._supervise(found, replace(self._surroundings, options=options))
        except StorageError:
            self._forget(found)
            raise
        plugin.prepare()
        plugin.start()
        await plugin.wait_begun()

    async def remove(self, name: str) -> None:
        """Disable one while the broker runs, and return when it has ended.

        Raises StorageError, and it stays, where that can't be.
        """
        plugin = next(each for each in self.plugins if each.name == name)
        check_disabling(plugin.plugin, self._surroundings.broker)
        plugin.cancel()
        await plugin.wait_stopped()
        if plugin.state == "stuck":
            raise StorageError(f"the plugin '{name}' doesn't end; a restart of the broker ends it")
        plugin.leave()
        self.plugins.remove(plugin)
        self._forget(plugin.plugin)

    def _forget(self, found: type[Plugin]) -> None:
        self._classes.remove(found)
        registering.unregister(found)

    def back_ends(self) -> Mapping[str, Callable[[Options], AuthenticationBackEnd]]:
        """The authentication back-ends of all plugins, by name."""
        return {name: make for found in self._classes for name, make in found.back_ends.items()}

    def prepare(self) -> None:
        """Let all do what has to be done before anybody is connected."""
        for plugin in self.plugins:
            plugin.prepare()

    def start(self) -> None:
        """Start all, in order."""
        for plugin in self.plugins:
            plugin.start()

    async def stop(self) -> None:
        """Stop all, the last one first; none of them can make this last long."""
        for plugin in reversed(self.plugins):
            plugin.cancel()
            await plugin.wait_stopped()

    def close(self) -> None:
        """Forget what the classes have declared."""
        classes, self._classes = self._classes, []
        for found in classes:
            registering.unregister(found)

    @property
    def stuck(self) -> list[str]:
        """The names of those that didn't end when they were stopped."""
        return [plugin.name for plugin in self.plugins if plugin.state == "stuck"]

    def words(self) -> list[Word]:
        """The words of all plugins."""
        return [word for plugin in self.plugins for word in plugin.words]

    def counters(self) -> Mapping[str, Mapping[str, float]]:
        """What all plugins have counted, by plugin."""
        return {plugin.name: plugin.counters() for plugin in self.plugins}
