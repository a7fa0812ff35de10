"""Keys of the configuration that plugins bring: declared where they are used, and loaded with the plugins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from warren.gateway.configuration.plugins import load_plugin

if TYPE_CHECKING:
    from warren.core.configuration.key import Key


def keys_of_plugins(plugins: Iterable[str]) -> dict[str, Key[Any]]:
    """The keys of these plugins by name.  Raises PluginUnusableError for a plugin that can't be loaded."""
    return {key.name: key for name in plugins for key in load_plugin(name).keys}


def values_of_plugins(plugins: Iterable[str], given: Mapping[str, object]) -> dict[str, object]:
    """The value of each key of these plugins: as given, else the default."""
    return {name: given.get(name, key.default) for name, key in keys_of_plugins(plugins).items()}
