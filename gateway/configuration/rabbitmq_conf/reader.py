"""rabbitmq.conf: a file that was written for RabbitMQ, used as it is.

Its text is read as RabbitMQ reads it (syntax.py).  Then each key is applied, or known and ignored with a remark that
says what that means (ignored.py), or unknown, with the nearest known ones: RabbitMQ refuses an unknown key, here it is
a warning, since versions differ in what they know.  A key that is applied, with a value that can't be, is an error, as
everywhere; so is a value that RabbitMQ would decrypt first, which must not become a password as it stands there.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from warren.adapters.amqp091.codec.constants import AUTH_MECHANISMS
from warren.gateway.configuration.catalogue import rabbitmq_names
from warren.gateway.configuration.given import Given, Remark, Weight
from warren.gateway.configuration.rabbitmq_conf.authentication import NAMES_OF_FAMILIES, read_authentication
from warren.gateway.configuration.rabbitmq_conf.ignored import ignored_names, remarks_on
from warren.gateway.configuration.rabbitmq_conf.listeners import read_listeners
from warren.gateway.configuration.rabbitmq_conf.plugins import NAMES as NAMES_OF_PLUGINS
from warren.gateway.configuration.rabbitmq_conf.plugins import read_plugins
from warren.gateway.configuration.rabbitmq_conf.reading import Reading
from warren.gateway.configuration.rabbitmq_conf.syntax import read_entries
from warren.gateway.configuration.rabbitmq_conf.tls import read_tls
from warren.gateway.process.settings import total_memory_bytes

_ANONYMOUS_USER: Final = "anonymous_login_user"
"""`none` forbids anonymous logins (RabbitMQ 4)."""

_ORIGINS: Final = ("web_stomp.allow_origins", "web_mqtt.allow_origins")

_ENCRYPTED: Final = "encrypted:"
"""Before a value that RabbitMQ decrypts with a passphrase that isn't in the file."""

_NAMES_OF_FAMILIES: Final = (
    *(f"{front}listeners.{kind}.default" for front in ("", "stomp.", "mqtt.") for kind in ("tcp", "ssl")),
    *(
        f"{plugin}.{kind}.{key}"
        for plugin in ("web_stomp", "web_mqtt")
        for kind in ("tcp", "ssl")
        for key in ("port", "ip")
    ),
    *(f"{front}proxy_protocol" for front in ("", "stomp.", "mqtt.", "web_stomp.", "web_mqtt.")),
    *(
        f"ssl_options.{key}"
        for key in ("certfile", "keyfile", "cacertfile", "password", "verify", "fail_if_no_peer_cert")
    ),
    "ssl_options.versions.1",
    "ssl_options.ciphers.1",
    "ssl_cert_login_from",
    "loopback_users.guest",
    "auth_mechanisms.1",
    "default_user_tags.administrator",
    _ANONYMOUS_USER,
    "web_stomp.allow_origins.1",
    "web_mqtt.allow_origins.1",
    *NAMES_OF_FAMILIES,
    *NAMES_OF_PLUGINS,
)
"""What is read by other means than one name per key, for suggestions."""

_SUGGESTION_CUTOFF: Final = 0.7
"""As alike as a word with one or two letters wrong."""


def read_rabbitmq_conf(text: str, path: Path, environment: Mapping[str, str]) -> tuple[list[Given], list[Remark]]:
    """(settings, remarks) of a rabbitmq.conf; environment: what `$(NAME)` in values stands for.  Raises ConfigError."""
    missing: list[str] = []
    reading = Reading(read_entries(text, path, environment, missing), path)
    for include in missing:
        reading.remark(Weight.WARNING, f"{include}: there is no such file; nothing is included")
    _refuse_encrypted(reading)
    _read_named(reading)
    _read_converted(reading)
    read_listeners(reading)
    read_tls(reading)
    _read_loopback(reading)
    _read_origins(reading)
    _read_anonymous(reading)
    _read_mechanisms(reading)
    read_authentication(reading)
    _read_tags(reading)
    read_plugins(reading)
    _read_rest(reading, path)
    return reading.settings, sorted(reading.remarks, key=lambda remark: -remark.weight)


def _refuse_encrypted(reading: Reading) -> None:
    for key, value in reading.entries.items():
        if value.startswith(_ENCRYPTED):
            reading.refuse(
                f"{key}: its value is encrypted, which Warren can't read; keep the secret in a file or the environment "
                f"and write {key} = $(<FILE) or {key} = $(VARIABLE)"
            )


def _read_named(reading: Reading) -> None:
    """What `Key.rabbitmq` names, each by one."""
    renamed = rabbitmq_names()
    for written in reading.entries:
        key = renamed.get(written)
        if key is not None:
            value = reading.take(written) or ""
            if not _is_outdone(written, reading.entries):
                reading.give(written, key.name, key.from_rabbitmq(value))


def _is_outdone(written: str, entries: Mapping[str, str]) -> bool:
    """True where another key of the file says the same, and counts, wherever it stands."""
    return any(other in entries for other in _COUNTS_BEFORE.get(written, ()))


_COUNTS_BEFORE: Final[Mapping[str, tuple[str, ...]]] = {
    "vm_memory_high_watermark.relative": ("vm_memory_high_watermark.absolute",),
    "disk_free_limit.relative": ("disk_free_limit.absolute",),
    "log.default.level": ("log.console.level",),
    "log.file.level": ("log.console.level", "log.default.level"),
    "log.level": ("log.console.level",),
}


def _read_converted(reading: Reading) -> None:
    """Keys that say in their own way what another key is."""
    for written, (key, convert) in _CONVERTED.items():
        value = reading.take(written)
        if value is not None and not _is_outdone(written, reading.entries):
            reading.give(written, key, convert(value))


def _share_of_memory(value: str) -> object:
    try:
        return int(float(value) * total_memory_bytes())
    except (ValueError, OverflowError):
        return value


def _seconds_of_ttl(value: str) -> object:
    """Milliseconds, or for ever."""
    if value in ("infinity", "undefined"):
        return _FOR_EVER_S
    return int(value) // 1000 if value.isdecimal() else value


_FOR_EVER_S: Final = 0xFFFF_FFFF
"""MQTT 5's word for a session that never expires (3.1.2.11.2)."""

_CONVERTED: Final[Mapping[str, tuple[str, Callable[[str], object]]]] = {
    "disk_free_limit.relative": ("disk_free_limit_bytes", _share_of_memory),
    "mqtt.subscription_ttl": ("mqtt_max_session_expiry_s", _seconds_of_ttl),
}


def _read_loopback(reading: Reading) -> None:
    """`loopback_users = none`, or `loopback_users.NAME = true|false` added to the default, guest.

    RabbitMQ takes any value, and counts only true; so a line that says something else does nothing.
    """
    names = {"guest"}
    said = reading.take("loopback_users")
    if said == "none":
        names.clear()
    elif said is not None:
        reading.refuse(f"loopback_users = {said!r}: must be none; a user is loopback_users.NAME = true or false")
    written = [] if said is None else ["loopback_users"]
    for key, name, value in reading.take_under("loopback_users"):
        written.append(key)
        if value == "true":
            names.add(name)
        elif value == "false":
            names.discard(name)
        else:
            reading.remark(Weight.WARNING, f"{key} = {value!r}: ignored: neither true nor false")
    if written:
        reading.give(", ".join(written), "loopback_users", sorted(names))


def _read_origins(reading: Reading) -> None:
    """`web_stomp.allow_origins.N = ORIGIN`, and the same for web_mqtt: Warren has one list for both."""
    written: list[str] = []
    origins: set[str] = set()
    for family in _ORIGINS:
        said = reading.take(family)
        if said not in (None, "none"):
            reading.refuse(f"{family} = {said!r}: must be none; an origin is {family}.1 = ORIGIN")
        for key, _, value in reading.take_under(family):
            written.append(key)
            origins.add(value)
    if origins:
        reading.give(", ".join(written), "websocket_allow_origins", sorted(origins))


def _read_anonymous(reading: Reading) -> None:
    anonymous = reading.take(_ANONYMOUS_USER)
    if anonymous == "none":
        reading.give(_ANONYMOUS_USER, "mqtt_allow_anonymous", "false")
    elif anonymous is not None:
        reading.give(_ANONYMOUS_USER, "mqtt_default_user", anonymous)


def _read_mechanisms(reading: Reading) -> None:
    """`auth_mechanisms.N = NAME`; those that aren't spoken here are left out."""
    listed = list(reading.take_under("auth_mechanisms"))
    found = [value for _, _, value in listed if value in AUTH_MECHANISMS]
    for key, _, value in listed:
        if value not in AUTH_MECHANISMS:
            reading.remark(
                Weight.WARNING, f"{key}: ignored: there is no mechanism {value}, only {', '.join(AUTH_MECHANISMS)}"
            )
    if found:
        reading.give(", ".join(key for key, _, _ in listed), "amqp_auth_mechanisms", found)
    elif listed:
        reading.refuse(
            f"{listed[0][0]} = {listed[0][2]!r}: nobody could log in; the mechanisms are {', '.join(AUTH_MECHANISMS)}"
        )


def _read_tags(reading: Reading) -> None:
    """`default_user_tags.TAG = true`: the default user has exactly those, once any is named."""
    listed = list(reading.take_under("default_user_tags"))
    for key, _, value in listed:
        if value not in ("true", "false"):
            reading.refuse(f"{key} = {value!r}: must be true or false")
    if listed:
        tags = [tag for _, tag, value in listed if value == "true"]
        reading.give(", ".join(key for key, _, _ in listed), "default_user_tags", tags)


def _read_rest(reading: Reading, path: Path) -> None:
    remarks, unknown = remarks_on(reading.rest(), path)
    reading.remarks += remarks
    known = [*rabbitmq_names(), *_CONVERTED, *_NAMES_OF_FAMILIES, *ignored_names()]
    for key in unknown:
        near = difflib.get_close_matches(key, known, n=2, cutoff=_SUGGESTION_CUTOFF)
        advice = f"; did you mean {' or '.join(near)}?" if near else "; look for it in docs/rabbitmq.md"
        reading.remark(Weight.WARNING, f"{key}: ignored: neither Warren nor RabbitMQ has such a key{advice}")
