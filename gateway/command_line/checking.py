"""`warren check FILE`: what is wrong with a file before a broker uses it.

    warren.toml, any *.toml     every key and value, the files that they name, certificates, and that the plugins load
    rabbitmq.conf, any *.conf   the same; keys that RabbitMQ doesn't have, with those that were meant; what is ignored
                                here, and where that lets somebody in
    *.json                      definitions: imported into a broker that is thrown away

What is said of a file is printed by its weight, in colour on a terminal: errors, which end a start, and what is a
matter of security; warnings; and notes.  Without a file it is the configuration that `warren serve` would read.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from warren.core.errors import BrokerError, StorageError
from warren.core.frozen import frozen
from warren.gateway.configuration.config import ConfigError
from warren.gateway.configuration.given import Weight
from warren.gateway.control import exit_codes as codes

if TYPE_CHECKING:
    from warren.gateway.configuration.config import Config


class Grade(Enum):
    """How bad something is: the word before it, and its colour (ECMA-48, 8.3.117)."""

    ERROR = ("error", "1;31")
    SECURITY = ("security", "31")
    WARNING = ("warning", "33")
    NOTE = ("note", "2")
    FINE = ("ok", "32")


OF_WEIGHT: Final = {Weight.SECURITY: Grade.SECURITY, Weight.WARNING: Grade.WARNING, Weight.NOTE: Grade.NOTE}


@frozen
class Finding:
    """One thing that can be said of a file."""

    grade: Grade
    text: str


def run(files: Sequence[str], *, strict: bool, out: TextIO | None = None) -> int:
    """Check files and print what is found; the exit code.  strict: warnings and worse fail, too."""
    out = out or sys.stdout
    worst = codes.OK
    failing = {Grade.ERROR, Grade.SECURITY, Grade.WARNING} if strict else {Grade.ERROR}
    for name in files or ("",):
        for finding in sorted(check(name), key=lambda each: list(Grade).index(each.grade)):
            print(shown(finding, coloured=_is_coloured(out)), file=out)
            if finding.grade in failing:
                worst = codes.CONFIG
    return worst


def check(name: str) -> Iterator[Finding]:
    """What can be said of a file; of the configuration that a start would read, where none is named."""
    path = Path(name) if name else None
    if path is not None and path.is_dir():
        files = sorted(path.glob("*.json"))
        if not files:
            yield Finding(Grade.ERROR, f"{path}: there is no *.json file in this directory")
        for each in files:
            yield from check_definitions(each)
    elif path is not None and path.suffix == ".json":
        yield from check_definitions(path)
    else:
        yield from check_configuration(path)


def check_configuration(path: Path | None) -> Iterator[Finding]:
    """A configuration file, with what the environment adds, as a start sees it."""
    from warren.gateway.configuration.load import load_config

    try:
        config = load_config(config_file=None if path is None else path.absolute())
    except (ConfigError, StorageError) as error:
        yield Finding(Grade.ERROR, str(error))
        return
    for remark in config.remarks:
        yield Finding(OF_WEIGHT[remark.weight], remark.text)
    for plugin, package in config.left_out.items():
        yield Finding(Grade.NOTE, f"the plugin {plugin} is off: it needs the package {package}, which is missing")
    failed = False
    for finding in (*_parts(config), *_definitions_of(config), *_openings(config)):
        failed |= finding.grade is Grade.ERROR
        yield finding
    if not failed:
        what = config.file or "the configuration (there is no file, so defaults and the environment)"
        yield Finding(Grade.FINE, f"{what}: a broker would start with it")


def _parts(config: Config) -> Iterator[Finding]:
    """What starting makes of the configuration, without listening or opening a store."""
    from warren.gateway.configuration.plugins import PluginSettings, PluginUnusableError, load_plugin
    from warren.gateway.network.pipeline import Pipelines
    from warren.gateway.network.settings import NetworkSettings
    from warren.gateway.process.runner import checked_queue_type

    try:
        checked_queue_type(config.default_queue_type)
        listeners = config.section(NetworkSettings).listeners
        Pipelines(config, listeners, int(time.time() * 1000))
        for name in config.section(PluginSettings).plugins:
            load_plugin(name)
    except (ConfigError, StorageError, PluginUnusableError) as error:
        yield Finding(Grade.ERROR, str(error))
    yield from _data_directory(config)


def _data_directory(config: Config) -> Iterator[Finding]:
    directory = config.data_directory
    if directory is None:
        return
    there = next((each for each in (directory, *directory.parents) if each.exists()), Path("/"))
    if not there.is_dir():
        yield Finding(Grade.ERROR, f"data_directory: {there} is no directory")
    elif not os.access(there, os.W_OK | os.X_OK):
        yield Finding(Grade.WARNING, f"data_directory: this user can't write to {there}")


def _definitions_of(config: Config) -> Iterator[Finding]:
    path = config.load_definitions
    if path is not None:
        for finding in check(str(path)) if path.is_dir() else check_definitions(path):
            if finding.grade is not Grade.FINE:
                yield finding


def _openings(config: Config) -> Iterator[Finding]:
    """What lets strangers in."""
    from warren.core.clients.transport import is_loopback
    from warren.core.settings import BrokerSettings
    from warren.gateway.network.addresses import LOCALHOST
    from warren.gateway.network.settings import NetworkSettings
    from warren.gateway.process.settings import FirstStartSettings

    listeners = config.section(NetworkSettings).listeners
    afar = [each for each in listeners if each.host != LOCALHOST and not is_loopback(each.host)]
    first = config.section(FirstStartSettings)
    is_local_only = first.default_user in config.section(BrokerSettings).loopback_users
    if afar and not is_local_only and first.default_password == "guest" and first.load_definitions is None:
        yield Finding(
            Grade.SECURITY,
            f"user '{first.default_user}' has the password that everybody knows, and {afar[0]} can be reached from "
            "elsewhere; give it another one (default_pass), or keep it among loopback_users",
        )
    for each in afar:
        if not each.tls and not each.proxy_protocol:
            yield Finding(Grade.NOTE, f"{each}: passwords and messages cross the network without TLS there")


def check_definitions(path: Path) -> Iterator[Finding]:
    """Definitions, RabbitMQ's or Warren's, by importing them into a broker in memory that is new."""
    from warren.core.access.users import Users
    from warren.core.administration.definitions_json.importing import import_definitions, report
    from warren.core.broker import Broker
    from warren.core.storage.definitions.memory import MemoryDefinitionStore
    from warren.core.storage.memory import MemoryEngine
    from warren.gateway.configuration.config import Config
    from warren.gateway.configuration.options import components_of

    store = MemoryDefinitionStore()
    config = Config(in_memory=True)
    broker = Broker(
        MemoryEngine(), store, Users(store), now_ms=int(time.time() * 1000), components=components_of(config, ["amqp"])
    )
    try:
        imported = import_definitions(broker, path.read_bytes())
    except OSError as error:
        yield Finding(Grade.ERROR, f"{path}: can't be read: {error.strerror or error}")
        return
    except BrokerError as error:
        yield Finding(Grade.ERROR, f"{path}: {error.text}")
        return
    done, *warnings = report(imported)
    for each in warnings:
        yield Finding(Grade.WARNING, f"{path}: {each.removeprefix('Warning: ')}")
    if not broker.users:
        yield Finding(Grade.WARNING, f"{path}: there is no user in it; a new broker that loads it lets nobody in")
    yield Finding(Grade.FINE, f"{path}: {done}")


def shown(finding: Finding, *, coloured: bool) -> str:
    """A line."""
    word, colour = finding.grade.value
    return f"\x1b[{colour}m{word}\x1b[0m: {finding.text}" if coloured else f"{word}: {finding.text}"


def _is_coloured(out: TextIO) -> bool:
    """On a terminal, unless somebody wants none (no-color.org)."""
    return out.isatty() and not os.environ.get("NO_COLOR")
