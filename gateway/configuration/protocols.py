"""The protocols that a listener can speak: names for the configuration, and adapters loaded when one is named.

Which there are is known without importing any of them (adapters.registry, and the entry points of other packages), and
other packages are only looked for when a name isn't Warren's own: a start should take no longer than it has to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING, cast

from warren.adapters.interface import ENTRY_POINT_GROUP, Options
from warren.adapters.registry import COMPONENTS, OWN
from warren.core.errors import StorageError
from warren.gateway.configuration.listener import AUTO, TLS_SUFFIX

if TYPE_CHECKING:
    from warren.adapters.interface import Accept, ComponentFactory, Configure
    from warren.core.broker import Broker
    from warren.core.component import Component
    from warren.core.component import ComponentFactory as ComponentOfBroker
    from warren.gateway.configuration.load import Config


class Protocols(Collection[str]):
    """The names of all protocols, Warren's own first; looking into other packages only when that is needed."""

    def __contains__(self, name: object) -> bool:
        return name in OWN or (not _is_taken(name) and name in _found())

    def __iter__(self) -> Iterator[str]:
        yield from OWN
        yield from (name for name in _found() if name not in OWN)

    def __len__(self) -> int:
        return len(list(iter(self)))


def _is_taken(name: object) -> bool:
    """Whether the name is one of Warren's own over TLS, or `auto`: other packages can't have these."""
    return name == AUTO or (isinstance(name, str) and name.endswith(TLS_SUFFIX) and name[: -len(TLS_SUFFIX)] in OWN)


PROTOCOLS = Protocols()
"""Protocols that a listener can be named for."""


def accept_by_protocol(config: Config, names: Iterable[str]) -> dict[str, Accept]:
    """For each of these protocols, what makes the session of an accepted connection.

    Raises StorageError, which ends the start, for an adapter of another package that can't be loaded.
    """
    options = options_of(config)
    return {name: _load(name)(options) for name in dict.fromkeys(names)}


def components_of(config: Config) -> dict[str, ComponentOfBroker]:
    """What makes the components that Warren's own protocols keep with every broker, by name."""
    options = options_of(config)
    return {
        name: partial(_component, cast("ComponentFactory", _attribute(where)), options)
        for name, where in COMPONENTS.items()
    }


def _component(make: ComponentFactory, options: Options, broker: Broker) -> Component:
    return make(broker, options)


def options_of(config: Config) -> Options:
    """The configuration as adapters and plugins see it, and `warren_version`."""
    from warren.gateway.version import WARREN_VERSION

    values = {field.name: getattr(config, field.name) for field in fields(config)}
    if config.plugins:
        from warren.gateway.configuration.plugin_keys import values_of_plugins

        values.update(values_of_plugins(config.plugins, config.plugin_options))
    return Options({**values, "warren_version": WARREN_VERSION})


def _load(name: str) -> Configure:
    where = OWN.get(name) or _found().get(name)
    if where is None:
        raise StorageError(f"no adapter for the protocol '{name}' is installed; there are {', '.join(PROTOCOLS)}")
    try:
        return cast("Configure", _attribute(where))
    except (ImportError, AttributeError) as error:
        raise StorageError(
            f"the adapter for the protocol '{name}' ({where}) can't be loaded: {error}; "
            "install its package again, or remove the listener"
        ) from error


def _attribute(where: str) -> object:
    """What `module:name` names.  Raises ImportError or AttributeError when it isn't there."""
    from importlib import import_module

    module, _, name = where.partition(":")
    return getattr(import_module(module), name)


def _found() -> dict[str, str]:
    """The adapters that other packages offer: the name of the protocol to `module:function`."""
    from importlib.metadata import entry_points

    return {entry.name: f"{entry.module}:{entry.attr}" for entry in entry_points(group=ENTRY_POINT_GROUP)}
