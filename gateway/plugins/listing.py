"""Plugins, as list_plugins shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from warren.core.administration.listing.column import Column, Row
from warren.core.administration.listing.kind import Kind, Vhosts

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.gateway.plugins.supervised import SupervisedPlugin


class PluginRow(Row):
    """One plugin that is enabled."""

    __slots__ = ("_plugin",)

    def __init__(self, plugin: SupervisedPlugin) -> None:
        self._plugin = plugin

    @Column
    def name(self) -> str:
        """Its name."""
        return self._plugin.name

    @Column
    def state(self) -> str:
        """waiting (to be started), running, failed (to be started again), ended, stopped or stuck."""
        return self._plugin.state

    @Column
    def about(self) -> str:
        """What it is for."""
        return self._plugin.plugin.about

    @Column
    def restarts(self) -> int:
        """How often it was started again after it had failed."""
        return self._plugin.restarts

    @Column
    def last_error(self) -> str:
        """What went wrong last, empty for nothing."""
        return self._plugin.last_error

    @Column
    def since(self) -> int:
        """When it got into its state, in milliseconds since 1970."""
        return self._plugin.since_ms

    @Column
    def counters(self) -> Mapping[str, float]:
        """What it has counted."""
        return self._plugin.counters()


def plugins_kind(plugins: Sequence[SupervisedPlugin]) -> Kind:
    """The listing of a host's plugins."""

    def rows(broker: Broker, vhosts: Vhosts) -> Iterator[PluginRow]:
        yield from map(PluginRow, list(plugins))

    def count(broker: Broker, vhosts: Vhosts) -> int:
        return len(plugins)

    return Kind("plugins", PluginRow, rows, count, shown=("name", "state", "restarts", "last_error"))
