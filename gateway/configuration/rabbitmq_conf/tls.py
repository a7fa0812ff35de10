"""TLS in a rabbitmq.conf: `ssl_options`, and how a client's certificate becomes a user's name.

RabbitMQ has options per plugin (`web_stomp.ssl`, `web_mqtt.ssl`); Warren shows the same certificate everywhere, so the
plugins' count only where `ssl_options` names none.  `verify` and `fail_if_no_peer_cert` together are `tls_verify`.
`ssl_options = none` takes all of it back.
"""

from __future__ import annotations

from typing import Final

from warren.gateway.configuration.given import Weight
from warren.gateway.configuration.rabbitmq_conf.reading import Reading

_FILES: Final = (
    ("certfile", "tls_certificate_file"),
    ("keyfile", "tls_key_file"),
    ("cacertfile", "tls_ca_file"),
    ("password", "tls_key_password"),
)

_FRONTS: Final = ("ssl_options.", "web_stomp.ssl.", "web_mqtt.ssl.")

_VERSIONS: Final = {"tlsv1.2": "1.2", "tlsv1.3": "1.3"}

_OLD_VERSIONS: Final = ("tlsv1", "tlsv1.1", "sslv3")
"""Not spoken any more; who lists them beside others gets the others."""

_LOGIN_FROM: Final = "ssl_cert_login_from"


def read_tls(reading: Reading) -> None:
    """Give the keys of TLS.  Raises ConfigError for values that RabbitMQ wouldn't take either."""
    before = len(reading.settings)
    _read_files(reading)
    _read_verify(reading)
    _read_versions(reading)
    ciphers = [value for _, _, value in reading.take_under("ssl_options.ciphers")]
    if ciphers:
        reading.give("ssl_options.ciphers", "tls_ciphers", ciphers)
    said = reading.take("ssl_options")
    if said == "none":
        del reading.settings[before:]
    elif said is not None:
        reading.refuse(f"ssl_options = {said!r}: must be none; options have names, such as ssl_options.certfile")
    login_from = reading.take(_LOGIN_FROM)
    if login_from is not None:
        value = login_from.replace("subject_alt_name", "subject_alternative_name")
        reading.give(_LOGIN_FROM, "tls_certificate_login_from", value)


def _read_files(reading: Reading) -> None:
    for key, own in _FILES:
        found = [(front + key, value) for front in _FRONTS if (value := reading.take(front + key)) is not None]
        if not found:
            continue
        written, value = found[0]
        reading.give(written, own, value)
        others = [other for other, otherwise in found[1:] if otherwise != value]
        if others:
            reading.remark(
                Weight.WARNING, f"{', '.join(others)}: ignored: all listeners have the same TLS, that of {written}"
            )


def _read_verify(reading: Reading) -> None:
    verify, needed = reading.take("ssl_options.verify"), reading.take("ssl_options.fail_if_no_peer_cert")
    if needed not in ("true", "false", None):
        reading.refuse(f"ssl_options.fail_if_no_peer_cert = {needed!r}: must be true or false")
    if verify not in ("verify_none", "verify_peer", None):
        reading.refuse(f"ssl_options.verify = {verify!r}: must be verify_peer or verify_none")
    if verify == "verify_peer":
        reading.give("ssl_options.verify", "tls_verify", "required" if needed == "true" else "optional")
        return
    if needed == "true":
        reading.remark(
            Weight.SECURITY,
            "ssl_options.fail_if_no_peer_cert: ignored: clients aren't asked for a certificate without "
            "ssl_options.verify = verify_peer",
        )
    if verify is not None:
        reading.give("ssl_options.verify", "tls_verify", "none")


def _read_versions(reading: Reading) -> None:
    listed = list(reading.take_under("ssl_options.versions"))
    for key, _, value in listed:
        if value not in _VERSIONS and value not in _OLD_VERSIONS:
            reading.refuse(f"{key} = {value!r}: must be one of {', '.join(_VERSIONS)}")
    found = [_VERSIONS[value] for _, _, value in listed if value in _VERSIONS]
    written = ", ".join(key for key, _, _ in listed)
    if listed and not found:
        reading.refuse(f"{written}: must have one of {', '.join(_VERSIONS)}: others aren't safe")
    if len(found) < len(listed):
        reading.remark(Weight.WARNING, f"{written}: only {' and '.join(found)} of these are spoken; others aren't safe")
    if found:
        reading.give("ssl_options.versions", "tls_versions", found)
