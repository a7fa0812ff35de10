"""rabbitmq.conf: the keys that Warren has too, so that a file written for RabbitMQ can be used as it is.

The format (cuttlefish's sysctl dialect, RabbitMQ "Configuration" guide): one `key = value` per line, `#`
starts a comment, a value may stand in single quotes, a later line for a key wins.  A key that Warren doesn't
have is a warning, since most files hold tuning of the Erlang machine that has no counterpart; a key that it
has with a value that it can't use is an error, as everywhere.
"""

from __future__ import annotations

import re
from pathlib import Path

from warren.gateway.configuration.catalogue import rabbitmq_names
from warren.gateway.configuration.config import ConfigError
from warren.gateway.configuration.given import Given
from warren.gateway.configuration.rabbitmq_conf.listeners import LISTENER_FAMILIES, listener_settings
from warren.gateway.configuration.rabbitmq_conf.tls import TLS_FAMILIES, tls_settings

_LINE = re.compile(r"\s*([A-Za-z0-9_.$/@-]+)\s*=\s*(?:'([^']*)'|([^#']*?))\s*(?:#.*)?")

_ALREADY_SO = (("definitions.import_backend", "local_filesystem"), ("definitions.hashing.algorithm", "sha256"))
"""What Warren does without being told."""


_ANONYMOUS_USER = "anonymous_login_user"
"""`none` forbids anonymous logins (RabbitMQ 4)."""

_ORIGINS = ("web_stomp.allow_origins", "web_mqtt.allow_origins")

_READ_BELOW = (_ANONYMOUS_USER, *_ORIGINS, *LISTENER_FAMILIES, *TLS_FAMILIES, "loopback_users")
"""Keys with a family of names, which have readers of their own."""


def read_rabbitmq_conf(text: str, path: Path) -> tuple[list[Given], list[str]]:
    """(settings, warnings) of a rabbitmq.conf.  Raises ConfigError for a line that isn't `key = value`."""
    entries = _entries(text, path)
    source, base = str(path), path.parent
    settings: list[Given] = []
    unknown: list[str] = []
    renamed = rabbitmq_names()
    for written, value in entries.items():
        key = renamed.get(written)
        if key is not None:
            settings.append(Given(source, written, key.name, key.from_rabbitmq(value), base))
        elif not written.startswith(_READ_BELOW) and (written, value) not in _ALREADY_SO:
            unknown.append(written)
    settings += listener_settings(entries, source, base)
    settings += tls_settings(entries, source, base)
    settings += _loopback_settings(entries, source, base)
    settings += _origin_settings(entries, source, base)
    anonymous = entries.get(_ANONYMOUS_USER)
    if anonymous is not None:
        name, value = ("mqtt_allow_anonymous", "false") if anonymous == "none" else ("mqtt_default_user", anonymous)
        settings.append(Given(source, _ANONYMOUS_USER, name, value, base))
    return settings, [f"{path}: {written} is not a key that Warren has; ignored" for written in unknown]


def _entries(text: str, path: Path) -> dict[str, str]:
    entries: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise ConfigError(f"{path}: line {number}: {line.strip()!r}: must be key = value")
        entries[found[1]] = found[3] if found[2] is None else found[2]
    return entries


def _loopback_settings(entries: dict[str, str], source: str, base: Path) -> list[Given]:
    """`loopback_users = none`, or `loopback_users.NAME = true|false` added to the default, guest."""
    names = {"guest"}
    given = [written for written in entries if written.startswith("loopback_users")]
    for written in given:
        name, value = written.removeprefix("loopback_users").removeprefix("."), entries[written].lower()
        if not name and value == "none":
            names.clear()
        elif name and value in ("true", "false"):
            (names.add if value == "true" else names.discard)(name)
        else:
            allowed = "true or false" if name else "none"
            raise ConfigError(f"{source}: {written} = {entries[written]!r}: must be {allowed}")
    return [Given(source, ", ".join(given), "loopback_users", sorted(names), base)] if given else []


def _origin_settings(entries: dict[str, str], source: str, base: Path) -> list[Given]:
    """`web_stomp.allow_origins.N = ORIGIN`, and the same for web_mqtt: Warren has one list for both."""
    given = {written: value for written, value in entries.items() if written.startswith(_ORIGINS)}
    origins = sorted(set(given.values()) - {"none"})
    return [Given(source, ", ".join(given), "websocket_allow_origins", origins, base)] if origins else []
