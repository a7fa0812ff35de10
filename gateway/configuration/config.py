"""The configuration of a broker: values of keys, whatever source they came from, and the settings that they make.

Keys are declared where they are used (core.configuration.key); catalogue.py knows all of them.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from warren.core.configuration.key import settings_from
from warren.gateway.configuration.catalogue import KEYS, known_key, plugin_keys
from warren.gateway.configuration.given import Weight
from warren.gateway.configuration.plugins import (
    Changes,
    by_default,
    enabled_plugins,
    left_out,
    own_listeners,
    owners_of,
    without_off,
)
from warren.gateway.network.addresses import LOCALHOST, Listener, changed_listeners
from warren.gateway.network.settings import DEFAULT_LISTENERS, DEFAULT_TLS_LISTENERS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from warren.core.configuration.key import Key
    from warren.gateway.configuration.given import Remark
    from warren.gateway.network.addresses import Change

S = TypeVar("S")


class ConfigError(Exception):
    """The configuration can't be used; the text names source, key and value, and says what is allowed."""


class Config:
    """What a broker is started with.  Made by `load_config`, or directly by a program that embeds one:

        Config(in_memory=True, heartbeat_s=30)

    Each argument is a key or a second name of one, with a value of the key's type, and an attribute afterwards; what
    isn't given has its default.  TypeError for what is no key.  file: the configuration file that was read.  remarks:
    what of it could not be applied, for the log.  left_out: plugins that would be on by default and lack a package, by
    name, and the package.

    `section` gives the settings that some part of the broker declares; the parts use nothing else.
    """

    __slots__ = ("_given", "_named_plugins", "_values", "file", "left_out", "remarks")

    def __init__(self, *, file: Path | None = None, remarks: tuple[Remark, ...] = (), **given: object) -> None:
        self.file = file
        self.remarks = remarks
        self._named_plugins = cast("tuple[str, ...]", given.get("plugins", ()))
        self._given: Mapping[str, object] = {self._name_of(name): value for name, value in given.items()}
        self._values: Mapping[str, object] = {**{name: key.default for name, key in KEYS.items()}, **self._given}
        protocols, changes = _named_protocols(self._values), _changes(self._values)
        self.left_out = left_out(self._named_plugins, protocols, changes)
        self._values = {**self._values, "plugins": enabled_plugins(self._named_plugins, protocols, changes)}
        self._values = {**self._values, **_computed(self._values)}

    @property
    def named_plugins(self) -> tuple[str, ...]:
        """What the key `plugins` was given, names with a `-` in front too."""
        return self._named_plugins

    @property
    def warnings(self) -> tuple[str, ...]:
        """Those remarks that say more than that some tuning has no counterpart."""
        return tuple(str(remark) for remark in self.remarks if remark.weight >= Weight.WARNING)

    @property
    def values(self) -> Mapping[str, object]:
        """What is in effect, by key: Warren's own keys, those of enabled plugins, and of other protocols what is given.

        Raises PluginUnusableError.
        """
        of_plugins = {
            name: key.default for name, key in plugin_keys(cast("tuple[str, ...]", self._values["plugins"])).items()
        }
        given = {name: value for name, value in self._given.items() if name in of_plugins}
        return {**self._values, **of_plugins, **given}

    def key(self, name: str) -> Key[Any] | None:
        """The key of this name or second name; None when there is none.  Raises PluginUnusableError."""
        found = known_key(name)
        if found is None:
            found = plugin_keys([*without_off(self._named_plugins), *owners_of(name)]).get(name)
        return found

    def is_secret(self, name: str) -> bool:
        """Whether the value of this key is never shown."""
        key = self.key(name)
        return key is not None and key.secret

    def section(self, section: type[S], **own: object) -> S:
        """The settings that these values make; `own`: fields that no key sets."""
        return settings_from(section, self._values, **own)

    def value(self, key: Key[S]) -> S:
        """What one key is."""
        return cast("S", self._values.get(key.name, key.default))

    def replace(self, **changes: object) -> Config:
        """The same with other values for these keys."""
        changed = {self._name_of(name): value for name, value in changes.items()}
        return Config(file=self.file, remarks=self.remarks, **{**self._given, **changed})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        key = self.key(name)
        if key is None:
            raise AttributeError(f"{name} is no key of the configuration")
        return self._values.get(key.name, key.default)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Config):
            return NotImplemented
        return (self._values, self.file, self.remarks) == (other._values, other.file, other.remarks)

    __hash__ = None  # type: ignore[assignment]  # values may be anything that other packages' keys have

    def __repr__(self) -> str:
        shown = (f"{name}={'...' if self.is_secret(name) else repr(value)}" for name, value in self._given.items())
        return f"Config({', '.join(shown)})"

    def _name_of(self, name: str) -> str:
        key = self.key(name)
        if key is None:
            raise TypeError(f"{name} is no key of the configuration")
        return key.name


def default_data_directory() -> Path:
    """Where data goes when nothing says otherwise.

    $XDG_DATA_HOME/warren when that is set; else /var/lib/warren for root (a service: Filesystem Hierarchy
    Standard 5.8); else ~/.local/share/warren (XDG Base Directory Specification).
    """
    base = os.environ.get("XDG_DATA_HOME", "")
    if os.path.isabs(base):
        return Path(base) / "warren"
    if os.geteuid() == 0:
        return Path("/var/lib/warren")
    return Path(os.path.expanduser("~")) / ".local" / "share" / "warren"


def _named_protocols(values: Mapping[str, object]) -> Collection[str] | None:
    """What listeners are for, where the configuration names all of them."""
    if values["listen"] is DEFAULT_LISTENERS:
        return None
    return {listener.protocol for listener in _changed(values, cast("tuple[Listener, ...]", values["listen"]))}


def _changes(values: Mapping[str, object]) -> Changes:
    """What `listen_by_protocol` makes of the listeners that are there by default."""
    given = cast("tuple[Change, ...]", values["listen_by_protocol"])
    if not given:
        return Changes()
    before = _default_listeners({**values, "plugins": tuple(by_default())})
    after = {listener.protocol for listener in changed_listeners(before, given)}
    return Changes(
        frozenset(each.protocol for each in given if isinstance(each, Listener)),
        frozenset(listener.protocol for listener in before if listener.protocol not in after),
    )


def _changed(values: Mapping[str, object], before: tuple[Listener, ...]) -> tuple[Listener, ...]:
    changes = cast("tuple[Change, ...]", values["listen_by_protocol"])
    return changed_listeners(before, changes) if changes else before


def _computed(values: Mapping[str, object]) -> dict[str, object]:
    """The defaults that depend on the machine or on other keys."""
    found: dict[str, object] = {}
    if values["data_directory"] is None and not values["in_memory"]:
        found["data_directory"] = default_data_directory()
    if not values["cluster_name"]:
        found["cluster_name"] = f"warren@{socket.gethostname()}"
    named = cast("tuple[Listener, ...]", values["listen"])
    found["listen"] = _changed(values, _default_listeners(values) if named is DEFAULT_LISTENERS else named)
    return found


def _default_listeners(values: Mapping[str, object]) -> tuple[Listener, ...]:
    """Where the broker listens while nothing says so: also over TLS with a certificate, and for enabled plugins."""
    has_certificate = values["tls_certificate_file"] is not None
    found = DEFAULT_LISTENERS + (DEFAULT_TLS_LISTENERS if has_certificate else ())
    for protocol, port, tls_port in own_listeners(cast("tuple[str, ...]", values["plugins"])):
        found += (Listener(protocol, LOCALHOST, port, optional=True),)
        found += (Listener(protocol, LOCALHOST, tls_port, tls=True, optional=True),) if has_certificate else ()
    return found
