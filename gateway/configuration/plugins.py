"""The plugins that this installation has, by name, and how the class of one is loaded.

Which there are is known without importing any of them: Warren's own from a table that stands with them (no plugin is
named here), others from the entry points of their packages, which are only looked for when a name isn't in the table.

Those that are on by default serve listeners, and are enabled by there being one.  While `listen` names nothing there is
one for each of them on its default port; where it does, those are enabled whose listeners it names.  So a broker that
listens for AMQP alone has none of them, and doesn't look at them.  `listen_by_protocol` moves, adds or takes away
listeners of theirs as of anybody.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from warren.core.configuration.key import Key, configured
from warren.core.frozen import frozen

if TYPE_CHECKING:
    from warren.gateway.plugin import Plugin

ENTRY_POINT_GROUP: Final = "warren.plugins"

OWN_TABLE: Final = "warren.plugins.registry"
"""Where Warren's own are listed: the module's BUILT_IN."""

_NO_PLUGINS: Final[tuple[str, ...]] = ()

OFF: Final = "-"
"""In front of a name: not this one, though it is on by default."""

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
    """The parser of the key `plugins`: a list of names, or one string with commas; each counts once.

    A name may have a `-` in front.
    """
    entries = value.split(",") if isinstance(value, str) else value
    if not isinstance(entries, list | tuple) or not all(isinstance(entry, str) for entry in entries):
        raise ValueError('a list of names of plugins, such as ["shovel"]')
    found = tuple(dict.fromkeys(entry.strip() for entry in entries if entry.strip()))
    for name in found:
        if name.removeprefix(OFF) not in PLUGINS:
            raise ValueError(f"names of plugins; {_unknown(name.removeprefix(OFF))}")
        if OFF + name in found:
            raise ValueError(f"names of plugins, not both {name} and {OFF}{name}")
    return found


@frozen
class PluginSettings:
    """Which plugins there are in a run of the broker."""

    plugins: tuple[str, ...] = configured(
        Key(
            "plugins",
            plugin_names,
            _NO_PLUGINS,
            "Plugins that are enabled beside those that are on by default, by name, in the order of their start. "
            "`management` and `metrics` are on by default: each where there is a listener that it serves, and there "
            "is one while `listen` names nothing. `-management` is without it. A plugin that is enabled "
            "brings keys of its own, whose names begin with its. The keys of others aren't known, but for those that "
            "are on by default.",
            computed=True,
        )
    )


class Changes(NamedTuple):
    """What is changed of the listeners that are there by default.  given: protocols that have been given addresses.
    off: those that none are left of.
    """

    given: Collection[str] = ()
    off: Collection[str] = ()


NO_CHANGES: Final = Changes()


def enabled_plugins(
    named: Iterable[str], protocols: Collection[str] | None, changes: Changes = NO_CHANGES
) -> tuple[str, ...]:
    """The plugins that there are in a run: those that are on by default first, and what the key `plugins` names.

    protocols: of the listeners that `listen` names; None where it names nothing, and then `changes` count.
    """
    named = tuple(named)
    wanted = dict.fromkeys([*_on_by_default(protocols, changes), *without_off(named)])
    return tuple(name for name in wanted if OFF + name not in named)


def without_off(named: Iterable[str]) -> list[str]:
    """What the key `plugins` names to be on."""
    return [name for name in named if not name.startswith(OFF)]


def left_out(
    named: Iterable[str], protocols: Collection[str] | None, changes: Changes = NO_CHANGES
) -> Mapping[str, str]:
    """Plugins that would be on by default and aren't since a package is missing: the names of both.

    Arguments as of `enabled_plugins`.  Where a listener or the key names one, its absence refuses the start instead.
    """
    if protocols is not None:
        return {}
    settled = {*changes.given, *changes.off}
    said = {name.removeprefix(OFF) for name in named}
    said |= {name for name in by_default() if settled.intersection(_protocols_of(name))}
    missing = {name: _missing_package(packages) for name, packages in by_default().items() if name not in said}
    return {name: package for name, package in missing.items() if package is not None}


def by_default() -> Mapping[str, tuple[str, ...]]:
    """The plugins that nobody has to enable, and the packages that each imports."""
    from importlib import import_module

    table = import_module(OWN_TABLE)
    return {name: packages for name, packages in table.ON_BY_DEFAULT.items() if name in table.BUILT_IN}


def owners_of(key: str) -> list[str]:
    """Those of them whose key this would be, by its name."""
    return [name for name in by_default() if key.startswith(f"{name}_")]


def _on_by_default(protocols: Collection[str] | None, changes: Changes) -> Iterator[str]:
    for name, packages in by_default().items():
        own = _protocols_of(name)
        if protocols is not None:
            is_on = not own.isdisjoint(protocols)
        else:
            is_left = _missing_package(packages) is None and not own.issubset(changes.off)
            is_on = not own.isdisjoint(changes.given) or is_left
        if is_on:
            yield name


def _protocols_of(name: str) -> set[str]:
    return {protocol for protocol, _, _ in own_listeners([name])}


def _missing_package(packages: Iterable[str]) -> str | None:
    from importlib.util import find_spec

    return next((package for package in packages if find_spec(package) is None), None)


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
