"""Kinds of values that these keys have, beside those of core.configuration.values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from warren.core.configuration.values import path, strings, text

TLS_VERIFY: Final = ("verify_peer", "verify_none")


def http_url(value: object) -> str:
    """An address of HTTP or HTTPS, without user and fragment."""
    allowed = "an address such as https://auth.example.org/user"
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(allowed)
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError(allowed) from None
    if not usable or "@" in parts.netloc or parts.fragment:
        raise ValueError(allowed)
    return value


def any_text(value: object) -> str:
    """A string, which may be empty."""
    return value if isinstance(value, str) else text(value)


def mapping(value: object) -> tuple[tuple[str, str], ...]:
    """A table, or entries NAME=VALUE in a list; several strings as a value are one, with spaces between them."""
    allowed = "a table of strings, or a list of NAME=VALUE"
    if isinstance(value, Mapping):
        found = {str(name): _joined(each, allowed) for name, each in value.items()}
    else:
        pairs = [entry.rpartition("=") for entry in strings(value, allowed)]
        found = {name: each for name, _, each in pairs}
    if not all(name and each for name, each in found.items()):
        raise ValueError(allowed)
    return tuple(found.items())


def _joined(value: object, allowed: str) -> str:
    return " ".join([value] if isinstance(value, str) else strings(value, allowed))


def paths(value: object) -> tuple[tuple[str, Path], ...]:
    """A table of names of files."""
    return tuple((name, path(each)) for name, each in mapping(value))
