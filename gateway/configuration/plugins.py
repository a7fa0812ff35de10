"""The plugins that this installation has, by name, and how the class of one is loaded.

Which there are is known without importing any of them: Warren's own from a table that stands with them (no plugin is
named here), others from the entry points of their packages, which are only looked for when a name isn't in the table.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from warren.core.configuration.key import Key, configured

if TYPE_CHECKING:
    from warren.gateway.plugin import Plugin

ENTRY_POINT_GROUP: Final = "warren.plugins"

OWN_TABLE: Final = "warren.plugins.registry"
"""Where Warren's own are listed: the module's BUILT_IN."""

_NO_PLUGINS: Final[tuple[str, ...]] = ()

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
"""What keys, folders and paths can begin with."""


class PluginUnusableError(Exception):
    """A plugin can't be loaded, or declares what can't be; the text says which, why and what to do."""


class Plugins(Collection[str]):
    """The names of all plugins, Warren's own first; looking into other packages only when that is needed."""

    def __contains__(self, name: object) -> bool:
        return name in _own() or name in _found()

    def __iter__(self) -> Iterator[str]:
        own = _own()
        yield from own
        yield from (name for name in _found() if name not in own)

    def __len__(self) -> int:
        return len(list(iter(self)))


PLUGINS: Final = Plugins()
"""Plugins that can be enabled."""


def plugin_names(value: object) -> tuple[str, ...]:
    """The parser of the key `plugins`: a list of names, or one string with commas; each counts once."""
    entries = value.split(",") if isinstance(value, str) else value
    if not isinstance(entries, list | tuple) or not all(isinstance(entry, str) for entry in entries):
        raise ValueError('a list of names of plugins, such as ["shovel"]')
    found = tuple(dict.fromkeys(entry.strip() for entry in entries if entry.strip()))
    for name in found:
        if name not in PLUGINS:
            raise ValueError(f"names of plugins; {_unknown(name)}")
    return found


@dataclass(frozen=True, slots=True)
class PluginSettings:
    """Which plugins there are in a run of the broker."""

    plugins: tuple[str, ...] = configured(
        Key(
            "plugins",
            plugin_names,
            _NO_PLUGINS,
            "Plugins that are enabled, by name, in the order of their start. A plugin that is enabled "
            "brings keys of its own, whose names begin with its. The keys of others aren't known.",
        )
    )


def own_listeners(plugins: Iterable[str]) -> Iterator[tuple[str, int, int]]:
    """Listeners that Warren's own of these plugins serve: protocol, port, port for TLS."""
    from importlib import import_module

    for name in plugins:
        yield from import_module(OWN_TABLE).LISTENERS.get(name, ())


def load_plugin(name: str) -> type[Plugin]:
    """The class of a plugin.  Raises PluginUnusableError."""
    from importlib import import_module

    where = _own().get(name) or _found().get(name)
    if where is None:
        raise PluginUnusableError(_unknown(name))
    module, _, attribute = where.partition(":")
    try:
        found = cast("type[Plugin]", getattr(import_module(module), attribute))
    except Exception as error:
        raise PluginUnusableError(
            f"the plugin '{name}' ({where}) can't be loaded: {type(error).__name__}: {error}; "
            "install its package again, or take it out of `plugins`"
        ) from error
    _check(name, where, found)
    return found


def _check(name: str, where: str, found: type[Plugin]) -> None:
    if not isinstance(found, type) or not all(hasattr(found, each) for each in ("name", "keys", "start")):
        raise PluginUnusableError(f"the plugin '{name}' ({where}) is no subclass of warren.gateway.plugin.Plugin")
    if found.name != name or not _NAME.fullmatch(name):
        raise PluginUnusableError(
            f"the plugin '{name}' ({where}) calls itself {found.name!r}; both have to be the same, of small letters, "
            "digits and _"
        )
    for key in found.keys:
        if not key.name.startswith(f"{name}_"):
            raise PluginUnusableError(f"the plugin '{name}' has a key '{key.name}', which has to begin with '{name}_'")


def _unknown(name: str) -> str:
    import difflib

    known = list(PLUGINS)
    near = difflib.get_close_matches(name.replace("-", "_").lower(), known, n=2)
    if near:
        return f"'{name}' is none; did you mean {' or '.join(near)}?"
    return f"'{name}' is none; installed are {', '.join(known) or 'no plugins'}"


def _own() -> dict[str, str]:
    from importlib import import_module

    return dict(import_module(OWN_TABLE).BUILT_IN)


def _found() -> dict[str, str]:
    """The plugins that other packages offer: the name to `module:class`."""
    from importlib.metadata import entry_points

    return {entry.name: f"{entry.module}:{entry.attr}" for entry in entry_points(group=ENTRY_POINT_GROUP)}
