"""Ciphers of TLS 1.2 for devices that know no better ones: `tls_ciphers`.

By default there are those with forward secrecy, and without SHA-1, as CPython has them by itself; some distributions
build it with OpenSSL's own choice instead, so they are said here.  Who names others says so in the
configuration, and is told at the start what is given up with them.  Ciphers that don't authenticate the broker, or
encrypt nothing, can't be named.
"""

from __future__ import annotations

import ssl
from typing import Final

from warren.gateway.configuration.config import ConfigError

DEFAULT: Final = "default"
"""In place of a name: the default ones."""

_OF_TLS_1_3: Final = frozenset(
    {
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_128_CCM_SHA256",
        "TLS_AES_128_CCM_8_SHA256",
    }
)
"""RFC 8446, B.4."""

_NOTHING_OPEN: Final = ":!aNULL:!eNULL"

_USUAL: Final = "@SECLEVEL=2:ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:DHE+AESGCM:DHE+AES:!PSK:!aDSS:!SHA1:!AESCCM"
"""In OpenSSL's words (openssl-ciphers(1)); the ephemeral key exchanges are what forward secrecy rests on."""


def set_ciphers(context: ssl.SSLContext, names: tuple[str, ...]) -> None:
    """Let the context have these ciphers, in their order; none given: the default ones.

    Raises ConfigError for a name that OpenSSL doesn't know, or has no safe cipher for.
    """
    context.set_ciphers(_USUAL + _NOTHING_OPEN)
    if not names:
        return
    usual = list(_of_1_2(context))
    wanted: list[str] = []
    for name in names:
        if name.lower() == DEFAULT:
            wanted += usual
        elif name not in _OF_TLS_1_3:
            wanted.append(_known(name))
    if wanted:
        context.set_ciphers(":".join(dict.fromkeys(wanted)) + _NOTHING_OPEN)
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    elif context.maximum_version is ssl.TLSVersion.TLSv1_2:
        raise ConfigError("tls_ciphers: all of them are for TLS 1.3, which tls_versions leaves out; name one for 1.2")
    else:
        context.minimum_version = ssl.TLSVersion.TLSv1_3


def weak_ciphers(context: ssl.SSLContext) -> list[str]:
    """The ciphers of TLS 1.2 that come without forward secrecy, by name."""
    return [name for name, exchange in _of_1_2(context).items() if not exchange.endswith("dhe")]


def _known(name: str) -> str:
    """The name as OpenSSL writes it."""
    for each in (name, _openssl_name(name)):
        try:
            probe = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            probe.set_ciphers(each + _NOTHING_OPEN)
        except (ssl.SSLError, ValueError):
            continue
        if each in _of_1_2(probe):
            return each
    raise ConfigError(
        f"tls_ciphers: {name!r} is no cipher that can be used; `openssl ciphers -v` lists those that there are"
    )


def _openssl_name(name: str) -> str:
    """`AES128-SHA` of the standard's `TLS_RSA_WITH_AES_128_CBC_SHA`."""
    exchange, with_, cipher = name.removeprefix("TLS_").partition("_WITH_")
    if not with_:
        return name
    cipher = cipher.replace("AES_", "AES").replace("_CBC", "").replace("CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305")
    cipher = cipher.replace("CAMELLIA_", "CAMELLIA").replace("3DES_EDE", "DES-CBC3")
    parts = ([] if exchange == "RSA" else [exchange]) + [cipher]
    return "-".join(parts).replace("_", "-")


def _of_1_2(context: ssl.SSLContext) -> dict[str, str]:
    """How keys are exchanged, such as kx-ecdhe, by name."""
    ciphers = context.get_ciphers()
    return {each["name"]: str(each.get("kea", "")) for each in ciphers if each["protocol"] != "TLSv1.3"}
