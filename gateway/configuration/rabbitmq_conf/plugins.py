"""What a rabbitmq.conf says of RabbitMQ's management and Prometheus plugins, which are plugins here, too.

    management.tcp.port, .ip    management.ssl.port, .ip      listeners http and https
    management.listener.port, .ip, .ssl                       the same, as older versions write it
    prometheus.tcp.port, .ip    prometheus.ssl.port, .ip      listeners metrics and metricss
    management.path_prefix
    management.cors.allow_origins.N, management.cors.max_age, management.http.max_body_size
    management.oauth_enabled, .oauth_client_id, .oauth_provider_url, .oauth_metadata_url, .oauth_scopes
    management.oauth_disable_basic_auth, management.disable_basic_auth
    prometheus.return_per_object_metrics

It counts while the plugin is enabled, as it is by default, which such a file can't say (of_plugins.py).  TLS is that of
all listeners, so the files that are named for these count where ssl_options names none.
"""

from __future__ import annotations

from typing import Final

from warren.gateway.configuration.given import Weight
from warren.gateway.configuration.rabbitmq_conf.reading import Reading
from warren.gateway.configuration.rabbitmq_conf.syntax import words_of
from warren.gateway.network.addresses import EVERY_ADDRESS

LISTEN: Final = "listen"

PLUGINS: Final = {
    "management": ("management", "http", 15672, 15671),
    "prometheus": ("metrics", "metrics", 15692, 15691),
}
"""RabbitMQ's name of each: ours, its listener, and the ports of RabbitMQ's, plain and for TLS."""

_KINDS: Final = (("tcp", ""), ("ssl", "s"))

_OLD: Final = "management.listener"

_KEYS: Final = (
    ("management.path_prefix", "management", "management_path_prefix"),
    ("management.cors.max_age", "management", "management_cors_max_age_s"),
    ("management.http.max_body_size", "management", "management_body_bytes_max"),
    ("prometheus.return_per_object_metrics", "metrics", "metrics_return_per_object_metrics"),
)

_ORIGINS: Final = "management.cors.allow_origins"

_OAUTH: Final = "management.oauth_"

_OAUTH_KEYS: Final = ("client_id", "provider_url", "metadata_url", "scopes")
"""Called alike in both."""

_BASIC_OFF: Final = (f"{_OAUTH}disable_basic_auth", "management.disable_basic_auth")

_TLS_FILES: Final = (
    ("certfile", "tls_certificate_file"),
    ("keyfile", "tls_key_file"),
    ("cacertfile", "tls_ca_file"),
    ("password", "tls_key_password"),
)

NAMES: Final = (
    *(f"{front}.{kind}.{key}" for front in PLUGINS for kind, _ in _KINDS for key in ("port", "ip")),
    *(f"{front}.ssl.{key}" for front in PLUGINS for key, _ in _TLS_FILES),
    *(f"{_OLD}.{key}" for key in ("port", "ip", "ssl")),
    *(name for name, _, _ in _KEYS),
    f"{_ORIGINS}.1",
    f"{_OAUTH}enabled",
    *(f"{_OAUTH}{key}" for key in _OAUTH_KEYS),
    *_BASIC_OFF,
)
"""What is read here, for suggestions."""


def read_plugins(reading: Reading) -> None:
    """Give the listeners and keys of both, for while they are enabled.  After read_tls."""
    for front, (plugin, listener, *ports) in PLUGINS.items():
        before = len(reading.settings)
        for (kind, suffix), port in zip(_KINDS, ports, strict=True):
            _read_listener(reading, plugin, f"{front}.{kind}", f"{listener}{suffix}", port)
        if front == "management":
            _read_old_listener(reading, plugin, listener)
        _read_tls_files(reading, plugin, f"{front}.ssl")
        for written, of, key in _KEYS:
            value = reading.take(written) if of == plugin else None
            if value is not None:
                reading.give(written, key, value, plugin)
        if front == "management":
            _read_origins(reading, plugin)
            _read_oauth(reading, plugin)
        found = ", ".join(given.written for given in reading.settings[before:])
        if found:
            reading.remark(
                Weight.WARNING,
                f"{found}: ignored: `plugins` takes `{plugin}` away",
                unless_plugin=plugin,
            )


def _read_listener(reading: Reading, plugin: str, family: str, name: str, default: int) -> None:
    port, host = reading.take(f"{family}.port"), reading.take(f"{family}.ip")
    if port is None and host is None:
        return
    written = [key for key in (f"{family}.port", f"{family}.ip") if key in reading.entries]
    reading.give(", ".join(written), LISTEN, [_listener(name, host, port or str(default))], plugin)


def _read_old_listener(reading: Reading, plugin: str, listener: str) -> None:
    port, host, tls = (reading.take(f"{_OLD}.{key}") for key in ("port", "ip", "ssl"))
    if tls not in ("true", "false", None):
        reading.refuse(f"{_OLD}.ssl = {tls!r}: must be true or false")
    if port is None and host is None and tls != "true":
        return
    _, _, plain, over_tls = PLUGINS["management"]
    written = [f"{_OLD}.{key}" for key in ("port", "ip", "ssl") if f"{_OLD}.{key}" in reading.entries]
    name, default = (f"{listener}s", over_tls) if tls == "true" else (listener, plain)
    reading.give(", ".join(written), LISTEN, [_listener(name, host, port or str(default))], plugin)


def _listener(name: str, host: str | None, port: str) -> str:
    host = EVERY_ADDRESS if host is None else host
    return f"{name}=[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{name}={host}:{port}"


def _read_tls_files(reading: Reading, plugin: str, family: str) -> None:
    """Certificates of a plugin's own, where the file names none for all."""
    given = {each.key: each.value for each in reading.settings}
    for key, own in _TLS_FILES:
        value = reading.take(f"{family}.{key}")
        if value is None:
            continue
        if own not in given:
            reading.give(f"{family}.{key}", own, value, plugin)
        elif given[own] != value:
            reading.remark(
                Weight.WARNING, f"{family}.{key}: ignored: all listeners have the same TLS, that of ssl_options"
            )


def _read_origins(reading: Reading, plugin: str) -> None:
    said = reading.take(_ORIGINS)
    if said not in (None, "none"):
        reading.refuse(f"{_ORIGINS} = {said!r}: must be none; an origin is {_ORIGINS}.1 = ORIGIN")
    found = []
    for written, _, value in reading.take_under(_ORIGINS):
        if value == "*" or "://" in value:
            found.append((written, value))
        else:
            text = f"{written} = {value!r}: ignored: no page has such an origin, as it begins with https:// or http://"
            reading.remark(Weight.WARNING, text)
    if found:
        names = sorted((each for each, _ in found), key=words_of)
        reading.give(", ".join(names), "management_cors_allow_origins", [value for _, value in found], plugin)


def _read_oauth(reading: Reading, plugin: str) -> None:
    """Logging in to the page at an issuer of tokens.

    Names and passwords are taken no more where that is possible, unless the file says so, as in RabbitMQ.
    """
    enabled = _flag(reading, f"{_OAUTH}enabled")
    for key in _OAUTH_KEYS:
        written = f"{_OAUTH}{key}"
        value = reading.take(written)
        if value is None:
            continue
        if enabled:
            reading.give(written, f"management_oauth_{key}", value, plugin)
        else:
            reading.remark(Weight.WARNING, f"{written}: ignored: {_OAUTH}enabled isn't true")
    said = {written: _flag(reading, written) for written in _BASIC_OFF}
    for written, off in said.items():
        if off is not None:
            reading.give(written, "management_basic_auth", not off, plugin)
    if enabled and not any(off is not None for off in said.values()):
        reading.give(f"{_OAUTH}enabled", "management_basic_auth", False, plugin)


def _flag(reading: Reading, written: str) -> bool | None:
    value = reading.take(written)
    if value not in ("true", "false", None):
        reading.refuse(f"{written} = {value!r}: must be true or false")
    return None if value is None else value == "true"
