"""Values of configuration keys: how each kind is written, and what is allowed.

A parser takes a value as it was written, a string (environment, command line, rabbitmq.conf) or a native TOML
value, and gives the typed one.  What it doesn't accept is a ValueError whose text completes "must be ...":
the caller adds the source, the key and the value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from pathlib import Path

from warren.core.frozen import frozen

_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")

_UNITS = {
    "": 1,
    "b": 1,
    "k": 2**10,
    "kb": 10**3,
    "kib": 2**10,
    "m": 2**20,
    "mb": 10**6,
    "mib": 2**20,
    "g": 2**30,
    "gb": 10**9,
    "gib": 2**30,
    "t": 2**40,
    "tb": 10**12,
    "tib": 2**40,
}
"""kB and MB are powers of ten, k, KiB and MiB powers of two."""

_LIMIT_MAX = 2**31 - 1
"""More than there can ever be."""

SIZE_SYNTAX = "a size in bytes, such as 1048576, 512KiB, 64MiB or 50MB"


@frozen
class CertificateFiles:
    """A certificate and its key; without `key` both are in one file."""

    certificate: Path
    key: Path | None = None

    def __str__(self) -> str:
        return str(self.certificate) if self.key is None else f"{self.certificate}:{self.key}"


@frozen
class Watermark:
    """An amount of memory: a fraction of the machine's, or a number of bytes (one of the two)."""

    relative: float | None = None
    absolute_bytes: int | None = None

    def bytes_of(self, total_bytes: int) -> int:
        """The amount in bytes on a machine with `total_bytes` of memory."""
        if self.absolute_bytes is not None:
            return self.absolute_bytes
        return int((self.relative or 0.0) * total_bytes)

    def __str__(self) -> str:
        return str(self.relative if self.absolute_bytes is None else self.absolute_bytes)


def text(value: object) -> str:
    """Any string but the empty one."""
    if not isinstance(value, str) or not value:
        raise ValueError("a string that isn't empty")
    return value


def one_of(names: Collection[str]) -> Callable[[object], str]:
    """One of these words, in any case."""

    def parse(value: object) -> str:
        if not isinstance(value, str) or value.strip().lower() not in names:
            raise ValueError("one of " + ", ".join(names))
        return value.strip().lower()

    return parse


def boolean(value: object) -> bool:
    """true or false, also as yes/no, on/off, 1/0 in the sources that only have strings."""
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    if word not in _TRUE + _FALSE:
        raise ValueError("true or false")
    return word in _TRUE


def whole_number(minimum: int, maximum: int, unit: str = "") -> Callable[[object], int]:
    """A whole number within these bounds (inclusive); `unit` is for the message."""

    def parse(value: object) -> int:
        number = _integer(value)
        if number is None or not minimum <= number <= maximum:
            raise ValueError(f"a whole number{unit and ' of ' + unit} from {minimum} to {maximum}")
        return number

    return parse


def limit(value: object) -> int | None:
    """A number of things there may be; `infinity` for any number."""
    if isinstance(value, str) and value.strip().lower() == "infinity":
        return None
    number = _integer(value)
    if number is None or not 0 <= number <= _LIMIT_MAX:
        raise ValueError(f"a whole number from 0 to {_LIMIT_MAX}, or infinity")
    return number


def number(minimum: float, maximum: float, unit: str = "") -> Callable[[object], float]:
    """A number, possibly with a fraction, within these bounds (inclusive)."""

    def parse(value: object) -> float:
        found = _float(value)
        if found is None or not minimum <= found <= maximum:
            raise ValueError(f"a number{unit and ' of ' + unit} from {minimum:g} to {maximum:g}")
        return found

    return parse


def size(minimum: int, maximum: int) -> Callable[[object], int]:
    """A number of bytes, with or without a unit, within these bounds (inclusive)."""

    def parse(value: object) -> int:
        found = _bytes(value)
        if found is None or not minimum <= found <= maximum:
            raise ValueError(f"{SIZE_SYNTAX}, from {minimum} to {maximum}")
        return found

    return parse


def zero_or(parse: Callable[[object], int]) -> Callable[[object], int]:
    """What `parse` takes, or 0, which is RabbitMQ's way to write "no limit" in some keys."""

    def parse_or_zero(value: object) -> int:
        if _integer(value) == 0:
            return 0
        try:
            return parse(value)
        except ValueError as error:
            raise ValueError(f"{error}, or 0 for no limit") from None

    return parse_or_zero


def watermark(value: object) -> Watermark:
    """A fraction of the machine's memory (0 to 1) or an amount (0.6, "2GiB", 1073741824)."""
    fraction = _float(value)
    if fraction is not None and 0 <= fraction <= 1:
        return Watermark(relative=fraction)
    found = _bytes(value)
    if found is None or found <= 1:
        raise ValueError("a fraction of the memory from 0 to 1, such as 0.6, or a size such as 2GiB")
    return Watermark(absolute_bytes=found)


def path(value: object) -> Path:
    """A file or directory name; `~` is the home directory."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("the name of a file or directory")
    try:
        return Path(value).expanduser()
    except RuntimeError as error:
        raise ValueError("a path; no home directory is known for this '~'") from error


def names(value: object) -> frozenset[str]:
    """A set of names: a list of strings, or one string with commas between them ("" is the empty set)."""
    return frozenset(strings(value, 'a list of names, such as ["guest"] or guest,monitor'))


def texts(value: object) -> tuple[str, ...]:
    """Strings in an order that matters: a list, or one string with commas between them ("" is none)."""
    return tuple(strings(value, "a list of strings, or one with commas between them"))


def several_of(words: Collection[str]) -> Callable[[object], frozenset[str]]:
    """One or more of these words, as a list or with commas."""

    def parse(value: object) -> frozenset[str]:
        allowed = f"one or more of {', '.join(words)}"
        found = frozenset(strings(value, allowed))
        if not found or not found.issubset(words):
            raise ValueError(allowed)
        return found

    return parse


def certificate_files(value: object) -> tuple[CertificateFiles, ...]:
    """CERTIFICATE_FILE or CERTIFICATE_FILE:KEY_FILE, several as a list or with commas."""
    allowed = 'a list of CERTIFICATE_FILE:KEY_FILE, such as ["example.org.pem:example.org.key"]'
    found = []
    for entry in strings(value, allowed):
        names = entry.split(":")
        if not all(names) or len(names) > 2:
            raise ValueError(allowed)
        paths = [path(name) for name in names]
        found.append(CertificateFiles(paths[0], paths[1] if len(paths) > 1 else None))
    return tuple(found)


def seconds_of(milliseconds: str) -> object:
    """For `Key.from_rabbitmq`: seconds of RabbitMQ's milliseconds; the parser refuses what is no number."""
    return int(milliseconds) / 1000 if re.fullmatch("[0-9]{1,12}", milliseconds) else milliseconds


def information_unit(value: str) -> str:
    """For `Key.from_rabbitmq`: a size with RabbitMQ's units, of which `M` and `Mi` are 10^6 and 2^20 (since 3.13)."""
    found = re.fullmatch(r"\s*([0-9]+)\s*([kmgtp])(i?)b?\s*", value, re.IGNORECASE)
    if found is None:
        return value
    base = 1024 if found[3] else 1000
    return str(int(found[1]) * base ** ("kmgtp".index(found[2].lower()) + 1))


def strings(value: object, allowed: str) -> list[str]:
    """A list of strings that aren't empty, or one string with commas between them; `allowed` is for the message."""
    if isinstance(value, str):
        entries: list[object] = [part.strip() for part in value.split(",") if part.strip()]
    elif isinstance(value, list | tuple):
        entries = list(value)
    else:
        raise ValueError(allowed)
    if not all(isinstance(entry, str) and entry for entry in entries):
        raise ValueError(allowed)
    return [str(entry) for entry in entries]


def _integer(value: object) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,20}\s*", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _float(value: object) -> float | None:
    if isinstance(value, str):
        if not re.fullmatch(r"\s*[+-]?([0-9]{1,20}(\.[0-9]{0,20})?|\.[0-9]{1,20})\s*", value):
            return None
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _bytes(value: object) -> int | None:
    if isinstance(value, str):
        found = re.fullmatch(r"\s*([0-9]{1,20}(?:\.[0-9]{1,20})?)\s*([a-zA-Z]{0,3})\s*", value)
        if found is None or found[2].lower() not in _UNITS:
            return None
        unit = _UNITS[found[2].lower()]
        return int(found[1]) * unit if "." not in found[1] else int(float(found[1]) * unit)
    return _integer(value)
