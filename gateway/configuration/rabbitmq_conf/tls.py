"""TLS in a rabbitmq.conf: `ssl_options`, and how a client's certificate becomes a user's name.

RabbitMQ has options per plugin (`web_stomp.ssl`, `web_mqtt.ssl`); Warren shows the same certificate everywhere, so the
plugins' count only where `ssl_options` names none.  `verify` and `fail_if_no_peer_cert` together are `tls_verify`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from warren.gateway.configuration.config import ConfigError
from warren.gateway.configuration.given import Given

_FILES = (
    ("certfile", "tls_certificate_file"),
    ("keyfile", "tls_key_file"),
    ("cacertfile", "tls_ca_file"),
    ("password", "tls_key_password"),
)

_FRONTS = ("ssl_options.", "web_stomp.ssl.", "web_mqtt.ssl.")

_VERSIONS = {"tlsv1.2": "1.2", "tlsv1.3": "1.3"}

_OLD_VERSIONS = ("tlsv1", "tlsv1.1", "sslv3")
"""Not spoken any more; who lists them beside others gets the others."""

_LOGIN_FROM = "ssl_cert_login_from"

TLS_FAMILIES = (
    *(f"{front}{key}" for front in _FRONTS for key, _ in _FILES),
    "ssl_options.verify",
    "ssl_options.fail_if_no_peer_cert",
    "ssl_options.versions",
    _LOGIN_FROM,
)
"""The beginnings of the keys that are read here."""


def tls_settings(entries: Mapping[str, str], source: str, base: Path) -> list[Given]:
    """The settings of the keys above.  Raises ConfigError for values that RabbitMQ wouldn't take either."""
    settings: list[Given] = []
    for key, own in _FILES:
        written = next((front + key for front in _FRONTS if front + key in entries), None)
        if written is not None:
            settings.append(Given(source, written, own, entries[written], base))
    if "ssl_options.verify" in entries:
        settings.append(Given(source, "ssl_options.verify", "tls_verify", _verify(entries, source), base))
    versions = _versions(entries, source)
    if versions:
        settings.append(Given(source, "ssl_options.versions", "tls_versions", versions, base))
    if _LOGIN_FROM in entries:
        value = entries[_LOGIN_FROM].replace("subject_alt_name", "subject_alternative_name")
        settings.append(Given(source, _LOGIN_FROM, "tls_certificate_login_from", value, base))
    return settings


def _verify(entries: Mapping[str, str], source: str) -> str:
    verify = entries["ssl_options.verify"]
    needed = entries.get("ssl_options.fail_if_no_peer_cert", "false")
    if verify not in ("verify_none", "verify_peer"):
        raise ConfigError(f"{source}: ssl_options.verify = {verify!r}: must be verify_peer or verify_none")
    if needed not in ("true", "false"):
        raise ConfigError(f"{source}: ssl_options.fail_if_no_peer_cert = {needed!r}: must be true or false")
    if verify == "verify_none":
        return "none"
    return "required" if needed == "true" else "optional"


def _versions(entries: Mapping[str, str], source: str) -> list[str]:
    listed = {key: value for key, value in entries.items() if key.startswith("ssl_options.versions")}
    for key, value in listed.items():
        if value not in _VERSIONS and value not in _OLD_VERSIONS:
            raise ConfigError(f"{source}: {key} = {value!r}: must be one of {', '.join(_VERSIONS)}")
    found = [_VERSIONS[value] for value in listed.values() if value in _VERSIONS]
    if listed and not found:
        raise ConfigError(f"{source}: {', '.join(listed)}: must have one of {', '.join(_VERSIONS)}: others aren't safe")
    return found
