"""The configuration as adapters see it, and what they make of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from warren.adapters.interface import Options
from warren.gateway.protocols import AUTO, PROTOCOLS
from warren.gateway.version import WARREN_VERSION

if TYPE_CHECKING:
    from warren.adapters.interface import AcceptCarrier, Adapter
    from warren.adapters.interface import ComponentFactory as FactoryByOptions
    from warren.core.administration.listing.kind import Kind
    from warren.core.broker import Broker
    from warren.core.component import Component, ComponentFactory
    from warren.gateway.configuration.config import Config
    from warren.gateway.loading.late import Late

S = TypeVar("S")


def options_of(config: Config) -> Options:
    """The values of all keys, and `warren_version`."""
    return Options({**config.values, "warren_version": WARREN_VERSION}, PROTOCOLS)


def adapters_for(names: Iterable[str]) -> dict[str, Adapter]:
    """The adapters that listeners of these names need; for `auto` all that know their first bytes.

    Raises StorageError, which ends the start, for one that is named and can't be loaded.
    """
    names = list(names)
    adapters = {name: PROTOCOLS.adapter(name) for name in dict.fromkeys(names) if name != AUTO}
    if AUTO in names:
        for name, adapter in {**PROTOCOLS.own(), **PROTOCOLS.others()}.items():
            if adapter.first_bytes is not None:
                adapters.setdefault(name, adapter)
    return adapters


class ListenerOptions(Options):
    """Options that note in `asked` whose settings somebody took, and what makes sessions by them.

    late: lets connections wait for what speaks their protocol; None where that is imported before there are any, for
    programs that bring their own broker.
    """

    __slots__ = ("_asked", "_late")

    def __init__(self, options: Options, asked: list[type[object]], late: Late | None) -> None:
        super().__init__(options.values, options.installed)
        self._asked = asked
        self._late = late

    def section(self, section: type[S], **own: object) -> S:
        """As in Options."""
        self._asked.append(section)
        return super().section(section, **own)

    def accept(self, adapter: Adapter) -> AcceptCarrier:
        """As in Options; connections wait for what isn't imported yet."""
        accept = super().accept(adapter)
        if self._late is not None and adapter.speaks:
            return self._late.accept(adapter.speaks, accept)
        if not adapter.on_demand:
            for name in adapter.speaks:
                import_module(name)
        return accept


def accept_by_protocol(
    config: Config, names: Iterable[str], asked: list[type[object]] | None = None, late: Late | None = None
) -> dict[str, AcceptCarrier]:
    """For the protocols that listeners of these names speak, what makes the session of an accepted connection.

    asked: gets the classes of settings that are in that.  late: as in ListenerOptions.  Raises StorageError as
    `adapters_for` does.
    """
    options = ListenerOptions(options_of(config), [] if asked is None else asked, late)
    return {name: options.accept(adapter) for name, adapter in adapters_for(names).items()}


def loads_for(names: Iterable[str]) -> list[tuple[str, ...]]:
    """What no start waits for, of listeners of these names: modules that speak their protocols."""
    return [adapter.speaks for adapter in adapters_for(names).values() if adapter.speaks and not adapter.on_demand]


def listings_of_protocols() -> list[Kind]:
    """What Warren's own protocols list beside the connections of all."""
    return [kind for _, load in later_listings() for kind in load()]


def later_listings() -> list[tuple[Sequence[str], Callable[[], Sequence[Kind]]]]:
    """The same as names and what loads the kinds, for `Listings.register_later`."""
    adapters = PROTOCOLS.own().values()
    return [(adapter.listing_names, adapter.listings) for adapter in adapters if adapter.listings is not None]


def components_of(config: Config, names: Iterable[str]) -> dict[str, ComponentFactory]:
    """What makes the components that protocols keep with a broker, by name: of Warren's own protocols always, of others
    where listeners of these names may speak them."""
    options = options_of(config)
    adapters = {**PROTOCOLS.own(), **adapters_for(names)}
    return {
        name: partial(_component, adapter.component, options)
        for name, adapter in adapters.items()
        if adapter.component is not None
    }


def _component(make: FactoryByOptions, options: Options, broker: Broker) -> Component:
    return make(broker, options)
