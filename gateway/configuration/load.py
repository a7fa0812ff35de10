"""Reading the configuration: how the sources combine, and what is wrong with a value.

A key has one name everywhere: `heartbeat_s` in `Config`, in warren.toml and after `--set`, `WARREN_HEARTBEAT_S` in the
environment.  The sources, later ones win, key by key:

1. the defaults,
2. one file: `--config FILE`, else `$WARREN_CONFIG` or `$RABBITMQ_CONFIG_FILE`, else `warren.toml` in the
   working directory, else `warren.toml` in the data directory; TOML, or RabbitMQ's format when its name ends
   in `.conf`,
3. the environment,
4. the command line.

`listen` is replaced as a whole: the last source that names any listener names all of them.  `listen_by_protocol` is
added up, protocol by protocol, until a later source names all of them.  Relative paths start at the working directory,
in a file at the directory of that file.

A wrong key or value in any source is a ConfigError that names the source, the key, the value and what is
allowed; it is never skipped, with one exception: a rabbitmq.conf written for RabbitMQ may hold keys that
Warren doesn't have, and `Config.remarks` says of each what that means.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, cast

from warren.core.configuration.key import Key
from warren.core.configuration.values import CertificateFiles
from warren.gateway.configuration import sources
from warren.gateway.configuration.catalogue import KEYS, known_key, plugin_keys
from warren.gateway.configuration.config import Config, ConfigError
from warren.gateway.configuration.given import Given
from warren.gateway.configuration.plugins import PluginUnusableError, owners_of, without_off
from warren.gateway.network.addresses import changes_of_both
from warren.gateway.network.settings import NetworkSettings
from warren.gateway.process.settings import ProcessSettings

LISTEN: Final = "listen"
BY_PROTOCOL: Final = "listen_by_protocol"

HIDDEN: Final = "********"
"""Instead of the value of a secret."""


def load_config(
    command_line: Iterable[Given] = (),
    *,
    config_file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Config:
    """Combine all sources into one configuration, as the head of this file says.

    command_line: its settings (`sources.command_line_settings`); config_file: its `--config`.
    environment, directory: the process's own by default.  Raises ConfigError.
    """
    environment = os.environ if environment is None else environment
    directory = directory or Path.cwd()
    outer = [*sources.environment_settings(environment, directory), *command_line]
    file = sources.find_file(config_file, environment, directory)
    if file is None:
        # Keys of plugins that the file may enable can't be told from mistakes yet.
        known = Config(**_checked(each for each in outer if each.key in KEYS))
        data_directory = known.section(ProcessSettings).data_directory
        file = sources.file_in(data_directory) if data_directory else None
    if file is None:
        return _made(outer)
    settings, remarks = sources.read_file(file, environment)
    given = {LISTEN if _says_where_amqp_is(each) else each.key for each in outer}
    remarks = [remark for remark in remarks if remark.unless not in given]
    if file.suffix == sources.RABBITMQ_SUFFIX:
        from warren.gateway.configuration.of_plugins import settle

        settings, remarks = settle(settings, remarks, outer)
    return _made([*settings, *outer], file=file, remarks=tuple(remarks))


def describe(config: Config) -> dict[str, object]:
    """The effective configuration by key, as plain JSON values; secrets are hidden."""
    shown: dict[str, object] = {}
    for name, value in config.values.items():
        shown[name] = HIDDEN if config.is_secret(name) else _plain(value)
    shown["config_file"] = _plain(config.file)
    return shown


def _made(settings: list[Given], **about: Any) -> Config:
    """A configuration of checked settings, in which somebody can connect: a broker without listeners is a mistake."""
    config = Config(**_checked(settings), **about)
    changes = [given for given in settings if given.key == BY_PROTOCOL]
    if changes and not config.section(NetworkSettings).listeners:
        last = changes[-1]
        raise ConfigError(f"{last.source}: {last.written} leaves no listener at all; name one address at least")
    return config


def _says_where_amqp_is(given: Given) -> bool:
    """Whether it settles where AMQP is, which a rabbitmq.conf may have left open."""
    entries = given.value if isinstance(given.value, list) else str(given.value).split(",")
    return given.key == BY_PROTOCOL and any(str(each).strip().lower().startswith("amqp=") for each in entries)


def _checked(settings: Iterable[Given]) -> dict[str, Any]:
    """Values by key, the last source of a key winning.  Raises ConfigError."""
    settings = _without_moot_changes(list(settings))
    values: dict[str, Any] = {}
    others: list[Given] = []
    for given in settings:
        key = known_key(given.key)
        if key is None:
            others.append(given)
        elif key.name == BY_PROTOCOL:
            values[key.name] = changes_of_both(values.get(key.name, ()), cast("Any", _parsed(given, key)))
        else:
            values[key.name] = _parsed(given, key)
    named = without_off(values.get("plugins", ()))
    if others or named:
        values.update(_of_plugins([*named, *(name for given in others for name in owners_of(given.key))], others))
    return values


def _without_moot_changes(settings: list[Given]) -> list[Given]:
    """What still counts of the settings: who names all listeners knows nothing of what sources before have changed."""
    naming = [given.source for given in settings if given.key == LISTEN]
    if not naming:
        return settings
    begin = next(at for at, given in enumerate(settings) if given.source == naming[-1])
    return [given for at, given in enumerate(settings) if at >= begin or given.key != BY_PROTOCOL]


def _of_plugins(plugins: Iterable[str], settings: Iterable[Given]) -> dict[str, object]:
    """The values of the plugins' keys; ConfigError for a key that is nobody's, or a plugin that can't be loaded."""
    try:
        keys = plugin_keys(plugins)
    except PluginUnusableError as error:
        raise ConfigError(str(error)) from error
    values: dict[str, object] = {}
    for given in settings:
        key = keys.get(given.key)
        if key is None:
            raise sources.unknown_key(given, keys)
        values[key.name] = _parsed(given, key)
    return values


_USER_OF_URI: Final = re.compile(r"(?<=://)[^\s/@]*:[^\s/]*@")


def without_secrets(text: str) -> str:
    """A value as it is shown, without the user and password of an address in it (RFC 3986, 3.2.1)."""
    return _USER_OF_URI.sub("...@", text)


def _parsed(given: Given, key: Key[Any]) -> object:
    try:
        value = key.parse(given.value)
    except ValueError as error:
        shown = "'...'" if key.secret else without_secrets(_as_written(given.value))
        raise ConfigError(f"{given.source}: {given.written} = {shown}: must be {error}") from None
    return _based(value, given.base)


def _based(value: object, base: Path) -> object:
    """The value, with relative paths in it starting at `base`."""
    if isinstance(value, Path):
        return base / value
    if isinstance(value, CertificateFiles):
        return CertificateFiles(base / value.certificate, None if value.key is None else base / value.key)
    if isinstance(value, tuple):
        return tuple(_based(entry, base) for entry in value)
    return value


def _as_written(value: object) -> str:
    """One value of a list, such as a repeated option, stands for itself."""
    return repr(value[0] if isinstance(value, list) and len(value) == 1 else value)


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        if value and all(isinstance(entry, tuple) for entry in value):
            return {str(name): str(each) for name, each in value}
        return [str(entry) for entry in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
