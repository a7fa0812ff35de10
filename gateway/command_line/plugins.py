"""`warren plugins`: what rabbitmq-plugins does, as far as it means something here.

A broker that runs enables and disables plugins at once and keeps that for its next start, in a file in its data
directory (configuration/enabled_plugins.py); with `--offline`, or where none runs, the file alone is changed.
RabbitMQ's names of plugins are taken, too: of those that are plugins here by another name, and of those that are part
of Warren and always there.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from warren.core.frozen import frozen
from warren.gateway.command_line.ctl import where_of
from warren.gateway.command_line.ctl_options import Parsed, parse
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.api_client import ask
from warren.gateway.control.client import CommandFailedError
from warren.gateway.control.word import Option, Syntax

if TYPE_CHECKING:
    from warren.gateway.configuration.config import Config

AS_HERE: Final[Mapping[str, str]] = {
    "rabbitmq_management": "management",
    "rabbitmq_management_agent": "management",
    "rabbitmq_web_dispatch": "management",
    "rabbitmq_prometheus": "metrics",
    "rabbitmq_shovel": "shovel",
    "rabbitmq_shovel_management": "shovel",
    "rabbitmq_shovel_prometheus": "shovel",
    "rabbitmq_federation": "federation",
    "rabbitmq_federation_common": "federation",
    "rabbitmq_federation_management": "federation",
    "rabbitmq_federation_prometheus": "federation",
    "rabbitmq_exchange_federation": "federation",
    "rabbitmq_queue_federation": "federation",
}
"""RabbitMQ's plugins whose work one of Warren's does; the first of each is its name in lists."""

BUILT_IN: Final = (
    "rabbitmq_amqp1_0",
    "rabbitmq_auth_backend_cache",
    "rabbitmq_auth_backend_http",
    "rabbitmq_auth_backend_oauth2",
    "rabbitmq_auth_mechanism_ssl",
    "rabbitmq_consistent_hash_exchange",
    "rabbitmq_delayed_message_exchange",
    "rabbitmq_message_deduplication",
    "rabbitmq_mqtt",
    "rabbitmq_random_exchange",
    "rabbitmq_recent_history_exchange",
    "rabbitmq_stomp",
    "rabbitmq_web_mqtt",
    "rabbitmq_web_stomp",
)
"""What is part of Warren: always there, and never to be disabled."""

OFFLINE: Final = Option("offline")
ONLINE: Final = Option("online")

_EITHER: Final = (OFFLINE, ONLINE)

SYNTAXES: Final = {
    each.name: each
    for each in (
        Syntax(
            "list",
            "[PATTERN]",
            "plugins, those that are enabled marked with [E*]; -e or -E: no others; -m: names alone",
            options=(Option("verbose"), Option("minimal"), Option("enabled"), Option("implicitly_enabled"), *_EITHER),
        ),
        Syntax("is_enabled", "PLUGIN [PLUGIN]...", "succeed if these plugins are enabled", options=_EITHER),
        Syntax("enable", "[PLUGIN]...", "enable plugins, now and from now on", options=(*_EITHER, Option("all"))),
        Syntax("disable", "[PLUGIN]...", "disable plugins", options=(*_EITHER, Option("all"))),
        Syntax("set", "[PLUGIN]...", "enable these plugins and disable all others", options=_EITHER),
        Syntax("directories", "", "where plugins are", options=_EITHER),
    )
}

SHORT: Final = {"e": "--implicitly-enabled", "E": "--enabled", "m": "--minimal", "v": "--verbose"}
"""Of `list`; -q and -s are everybody's."""

USAGE: Final = "usage: warren plugins COMMAND [arguments]\n\nCommands:\n" + "\n".join(
    f"  {each.name:<13}{each.about}" for each in SYNTAXES.values()
)


@frozen
class _Plugins:
    """enabled: the names here of those that are.  known: of all that could be.  running: whether a broker was asked."""

    enabled: Sequence[str]
    known: Sequence[str]
    running: bool

    def is_enabled(self, name: str) -> bool:
        return name in BUILT_IN or AS_HERE.get(name, name) in self.enabled

    def is_known(self, name: str) -> bool:
        return name in BUILT_IN or AS_HERE.get(name, name) in self.known


def run(arguments: Sequence[str]) -> int:
    """Carry a command out; its exit code.  Raises CommandFailedError."""
    parsed = parse(_long(arguments), SYNTAXES.values())
    name, *rest = parsed.words or ["help"]
    if name in ("help", "version") or "help" in parsed.options:
        return _help_or_version(name)
    syntax = SYNTAXES.get(name)
    if syntax is None:
        raise CommandFailedError(f"unknown command '{name}'\n\n{USAGE}", codes.USAGE)
    try:
        syntax.check(rest, [each for each in parsed.of_word if each != "vhost"])
    except ValueError as error:
        raise CommandFailedError(str(error).replace("warren ctl", "warren plugins"), codes.USAGE) from None
    return _COMMANDS[name](parsed, rest)


def _help_or_version(name: str) -> int:
    if name == "version":
        from warren.gateway.version import WARREN_VERSION

        print(WARREN_VERSION)
    else:
        print(USAGE)
    return codes.OK


def _long(arguments: Sequence[str]) -> list[str]:
    """Several short options may be in one; those of lists are made long."""
    found: list[str] = []
    for each in arguments:
        letters = each[1:] if each.startswith("-") and set(each[1:]) <= {*SHORT, "q", "s"} else ""
        found += [SHORT.get(letter, f"-{letter}") for letter in letters] or [each]
    return found


def _look(parsed: Parsed) -> _Plugins:
    """From the broker; from the configuration, what was changed of it and what is installed, where none runs or
    `--offline` is given."""
    from warren.gateway.configuration.enabled_plugins import with_changes
    from warren.gateway.configuration.plugins import PLUGINS, PluginSettings

    if OFFLINE.name not in parsed.options:
        try:
            answer = ask(where_of(parsed), "list_plugins", ("name", "state"), timeout_s=parsed.timeout_s)
        except CommandFailedError as error:
            if error.exit_code != codes.UNAVAILABLE or "url" in parsed.options or ONLINE.name in parsed.options:
                raise
        else:
            rows: list[dict[str, str]] = answer["rows"]  # type: ignore[assignment]
            enabled = [row["name"] for row in rows if row["state"] != "disabled"]
            return _Plugins(enabled, [row["name"] for row in rows], running=True)
    config = with_changes(_configured(parsed))
    return _Plugins(config.section(PluginSettings).plugins, list(PLUGINS), running=False)


def _configured(parsed: Parsed) -> Config:
    """What a start of the broker would read, with the data directory that is named here."""
    from warren.gateway.configuration.load import load_config

    file = parsed.options.get("config")
    config = load_config(config_file=Path(str(file)) if file else None)
    directory = parsed.options.get("data_dir")
    return config if directory is None else config.replace(data_directory=Path(str(directory)).expanduser().absolute())


def _list(parsed: Parsed, rest: Sequence[str]) -> int:
    found = _look(parsed)
    pattern = rest[0] if rest else ""
    shown_as = {here: theirs for theirs, here in reversed(list(AS_HERE.items()))}
    only_explicit = "enabled" in parsed.options
    only_enabled = only_explicit or "implicitly_enabled" in parsed.options
    rows = []
    for name in sorted({shown_as.get(each, each) for each in found.known} | set(BUILT_IN)):
        explicit, enabled = name not in BUILT_IN, found.is_enabled(name)
        if not _matches(pattern, name) or (only_enabled and not enabled) or (only_explicit and not explicit):
            continue
        state = "not_enabled" if not enabled else "enabled" if explicit else "implicit"
        rows.append({"name": name, "enabled": state, "running": enabled and found.running})
    _print_list(parsed, rows, running=found.running)
    return codes.OK


def _matches(pattern: str, name: str) -> bool:
    """As RabbitMQ's: a regular expression found in it; what is none is compared as a text with `*`."""
    from warren.core.patterns.compiling import check_pattern

    try:
        return check_pattern(pattern).found_in(name)
    except ValueError:
        return fnmatch.fnmatchcase(name, f"*{pattern}*")


def _print_list(parsed: Parsed, rows: Sequence[Mapping[str, object]], *, running: bool) -> None:
    from warren.gateway.version import WARREN_VERSION

    minimal = "minimal" in parsed.options
    if parsed.options.get("formatter") == "json":
        versions = [{**row, "version": WARREN_VERSION} for row in rows]
        status = "running" if running else "node_down"
        print(json.dumps({"status": status, "format": "minimal" if minimal else "normal", "plugins": versions}))
        return
    if not minimal and not (parsed.options.get("quiet") or parsed.options.get("silent")):
        print(" Configured: E = explicitly enabled; e = part of Warren\n | Status: * = running\n |/")
    width = max((len(str(row["name"])) for row in rows), default=0)
    letters = {"not_enabled": " ", "enabled": "E", "implicit": "e"}
    for row in rows:
        marks = letters[str(row["enabled"])] + ("*" if row["running"] else " ")
        print(row["name"] if minimal else f"[{marks}] {row['name']:<{width}} {WARREN_VERSION}")


def _is_enabled(parsed: Parsed, rest: Sequence[str]) -> int:
    found = _look(parsed)
    missing = [name for name in rest if not found.is_enabled(name)]
    as_json = parsed.options.get("formatter") == "json"
    many = f"Plugin{'s' if len(missing or rest) > 1 else ''} {', '.join(missing or rest)}"
    if not missing:
        text = f"{many} {'is' if len(rest) == 1 else 'are'} enabled"
        print(json.dumps({"result": "ok", "message": text}) if as_json else text)
        return codes.OK
    text = f"{many} {'is' if len(missing) == 1 else 'are'} not enabled. Enabled: {', '.join(found.enabled) or 'none'}"
    if as_json:
        print(json.dumps({"result": "error", "message": text}))
        return codes.UNAVAILABLE
    raise CommandFailedError(text, codes.UNAVAILABLE)


def _enable(parsed: Parsed, rest: Sequence[str]) -> int:
    found = _look(parsed)
    wanted = _named(parsed, rest, found)
    missing = [AS_HERE.get(name, name) for name in wanted if not found.is_enabled(name)]
    return _change(parsed, found, [*found.enabled, *missing])


def _disable(parsed: Parsed, rest: Sequence[str]) -> int:
    found = _look(parsed)
    gone = found.enabled if "all" in parsed.options else [AS_HERE.get(name, name) for name in rest]
    fixed = [name for name in rest if name in BUILT_IN]
    if fixed:
        text = f"{', '.join(fixed)}: part of Warren; leave a protocol that isn't wanted out of the listeners (`listen`)"
        raise CommandFailedError(text, codes.SOFTWARE)
    return _change(parsed, found, [name for name in found.enabled if name not in gone])


def _set(parsed: Parsed, rest: Sequence[str]) -> int:
    found = _look(parsed)
    wanted = [AS_HERE.get(name, name) for name in _named(parsed, rest, found) if name not in BUILT_IN]
    return _change(parsed, found, wanted)


def _named(parsed: Parsed, rest: Sequence[str], found: _Plugins) -> Sequence[str]:
    wanted = found.known if "all" in parsed.options else rest
    unknown = [name for name in wanted if not found.is_known(name)]
    if unknown:
        text = f"there is no plugin {', '.join(unknown)} here; there are {', '.join(found.known)}"
        raise CommandFailedError(text, codes.SOFTWARE)
    return wanted


def _change(parsed: Parsed, found: _Plugins, wanted: Sequence[str]) -> int:
    """Have these plugins enabled and no others."""
    wanted = list(dict.fromkeys(wanted))
    if set(wanted) == set(found.enabled):
        print("Plugin configuration unchanged.")
        return codes.OK
    if found.running:
        answer = ask(where_of(parsed), "set_plugins", tuple(wanted), timeout_s=parsed.timeout_s)
        _print_change(parsed, answer["value"])  # type: ignore[arg-type]
    else:
        _change_file(parsed, wanted)
        started = [name for name in wanted if name not in found.enabled]
        stopped = [name for name in found.enabled if name not in wanted]
        _print_change(parsed, {"started": started, "stopped": stopped, "listening": {}}, is_now=False)
    return codes.OK


def _change_file(parsed: Parsed, wanted: Sequence[str]) -> None:
    from warren.core.errors import StorageError
    from warren.gateway.configuration.enabled_plugins import changes_to, place_of, write_changes

    config = _configured(parsed)
    place = place_of(config)
    if place is None:
        text = "the configuration says in_memory, so nothing is kept; name the plugins with the key `plugins`"
        raise CommandFailedError(text, codes.SOFTWARE)
    try:
        write_changes(place, changes_to(config, wanted))
    except StorageError as error:
        raise CommandFailedError(str(error), codes.SOFTWARE) from None


def _print_change(parsed: Parsed, changed: Mapping[str, object], *, is_now: bool = True) -> None:
    """In RabbitMQ's words, and where somebody listens who didn't before."""
    if parsed.options.get("formatter") == "json":
        print(json.dumps({**changed, "mode": "online" if is_now else "offline"}))
        return
    for key, what, did in (("started", "enabled", "started"), ("stopped", "disabled", "stopped")):
        names: list[str] = changed[key]  # type: ignore[assignment]
        if names:
            print(f"The following plugins have been {what}:", *(f"  {name}" for name in names), sep="\n")
            if is_now:
                print(f"\n{did} {len(names)} plugins.")
    listening: Mapping[str, Sequence[str]] = changed["listening"]  # type: ignore[assignment]
    for listener, addresses in listening.items():
        print(f"listening: {listener}={', '.join(addresses)}")
    if not is_now:
        print("\nOffline change; changes will take effect at broker restart.")


def _directories(parsed: Parsed, rest: Sequence[str]) -> int:
    from importlib.util import find_spec

    from warren.gateway.configuration.enabled_plugins import place_of
    from warren.gateway.configuration.plugins import OWN_TABLE

    own = find_spec(OWN_TABLE)
    where = {
        "plugins_dir": str(Path(own.origin).resolve().parent) if own is not None and own.origin else "",
        "plugins_expand_dir": "",
        "enabled_plugins_file": str(place_of(_configured(parsed)) or ""),
    }
    if parsed.options.get("formatter") == "json":
        print(json.dumps(where))
    else:
        print(f"Warren's own plugins: {where['plugins_dir']}\nOthers: packages with an entry point `warren.plugins`")
        print("Enabled by: the key `plugins` of the configuration")
        print(f"Enabled and disabled besides: {where['enabled_plugins_file'] or '(nothing is kept)'}")
    return codes.OK


_COMMANDS: Final = {
    "list": _list,
    "is_enabled": _is_enabled,
    "enable": _enable,
    "disable": _disable,
    "set": _set,
    "directories": _directories,
}
