"""All configuration keys: those that the parts of Warren declare, those of other packages' protocols, and of plugins.

Other packages are only looked for when a name isn't one of Warren's own.  A protocol's keys are known as soon as its
package is installed, whether a listener names it or not, so that taking a listener away needs no other change.  A
plugin's keys are known while it is enabled: nothing of a plugin that isn't is imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from warren.core.clients.limits import BrokerLimits
from warren.core.configuration.key import Key, keys_of
from warren.core.settings import BrokerSettings
from warren.gateway.authentication.settings.chain import AuthenticationSettings
from warren.gateway.authentication.settings.http import HttpBackEndSettings
from warren.gateway.authentication.settings.oauth2 import OAuth2Settings
from warren.gateway.cluster.settings import ClusterSettings, LinkSettings
from warren.gateway.configuration.plugins import PluginSettings, load_plugin
from warren.gateway.network.settings import NetworkSettings
from warren.gateway.process.settings import FirstStartSettings, ProcessSettings, ResourceSettings
from warren.gateway.protocols import PROTOCOLS
from warren.gateway.tls.settings import TlsSettings

AnyKey = Key[Any]

_TABLES: Final = tuple(PROTOCOLS.own())


def sections() -> Iterator[type[object]]:
    """Every class of settings that is Warren's own."""
    yield from (ProcessSettings, NetworkSettings, ResourceSettings, FirstStartSettings, BrokerSettings, BrokerLimits)
    yield from (TlsSettings, AuthenticationSettings, HttpBackEndSettings, OAuth2Settings, PluginSettings)
    yield ClusterSettings
    yield LinkSettings
    for adapter in PROTOCOLS.own().values():
        yield from adapter.settings


def keys_by_name(found: Iterable[type[object]]) -> dict[str, AnyKey]:
    """The keys of these sections, in their order.  ValueError when two keys have one name."""
    keys: dict[str, AnyKey] = {}
    for section in found:
        for key in keys_of(section):
            if keys.setdefault(key.name, key) is not key:
                raise ValueError(f"the configuration key {key.name} is declared twice")
    return keys


def _second_names(keys: Iterable[AnyKey], tables: Iterable[str]) -> Iterator[tuple[str, AnyKey]]:
    """`mqtt_exchange` is `exchange` in the table `mqtt`, too."""
    tables = tuple(tables)
    for key in keys:
        yield from ((name, key) for name in key.also)
        table, _, rest = key.name.partition("_")
        if table in tables and rest:
            yield f"{table}.{rest}", key


KEYS: Final[Mapping[str, AnyKey]] = keys_by_name(sections())
"""Warren's own keys, in the order of their declarations."""

SECOND_NAMES: Final[Mapping[str, AnyKey]] = dict(_second_names(KEYS.values(), _TABLES))
"""Other names of the same keys: as the command line's option is called, as RabbitMQ calls it, in a table of TOML."""


def known_key(name: str) -> AnyKey | None:
    """The key of this name or second name, of Warren or of a package that is installed; None when there is none."""
    return KEYS.get(name) or SECOND_NAMES.get(name) or foreign_keys().get(name)


def foreign_keys() -> Mapping[str, AnyKey]:
    """The keys of other packages' protocols, by names and second names; one that is Warren's already stays so."""
    found: dict[str, AnyKey] = {}
    for table, adapter in PROTOCOLS.others().items():
        keys = {key.name: key for section in adapter.settings for key in keys_of(section) if key.name not in KEYS}
        for name, key in (*keys.items(), *_second_names(keys.values(), [table])):
            found.setdefault(name, key)
    return found


def plugin_keys(plugins: Iterable[str]) -> Mapping[str, AnyKey]:
    """The keys of these plugins by name.  Raises PluginUnusableError for a plugin that can't be loaded."""
    return {key.name: key for name in plugins for key in load_plugin(name).keys}


def rabbitmq_names() -> Mapping[str, AnyKey]:
    """What keys are called in a rabbitmq.conf."""
    return {name: key for key in KEYS.values() for name in key.rabbitmq}
