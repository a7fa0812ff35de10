"""What is in an X.509 certificate, as far as a broker asks: names, alternative names, validity.

The standard library gives this only for a peer that was verified, and not for the broker's own files, which have to be
known for server names and expiry.  So the certificate is taken apart here (RFC 5280, in DER: X.690).  Nothing is
judged: signatures, chains and purposes are OpenSSL's affair, and only what OpenSSL accepted is acted on.

Names are written as RFC 4514 says and as RabbitMQ writes them, the most specific part first: `CN=device,O=Example`.
RabbitMQ escapes a little more than it has to (everything outside of printable ASCII, and `~`); users are called by
these names, so it is done here, too.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Final

from warren.core.frozen import frozen

_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----\s*([A-Za-z0-9+/=\s]+?)-----END CERTIFICATE-----")
"""RFC 7468, 5."""

_SEQUENCE: Final = 0x30
_OBJECT_IDENTIFIER: Final = 0x06
_GENERALIZED_TIME: Final = 0x18
_VERSION: Final = 0xA0
_EXTENSIONS: Final = 0xA3

_ALTERNATIVE_NAMES: Final = "2.5.29.17"
_COMMON_NAME: Final = "2.5.4.3"

_NAME_TYPES: Final = {
    "2.5.4.3": "CN",
    "2.5.4.4": "SN",
    "2.5.4.5": "SERIALNUMBER",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.12": "TITLE",
    "2.5.4.42": "GIVENNAME",
    "2.5.4.43": "INITIALS",
    "2.5.4.44": "GENERATIONQUALIFIER",
    "2.5.4.65": "PSEUDONYM",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "EMAILADDRESS",
}
"""Parts of names, as RabbitMQ abbreviates them; others go by their number."""

_STRINGS: Final = {
    0x0C: "utf-8",
    0x12: "ascii",
    0x13: "ascii",
    0x14: "latin-1",
    0x16: "ascii",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}
"""String types by tag; TeletexString is Latin-1 in practice."""

_NAME_KINDS: Final = {0xA0: "other_name", 0x81: "email", 0x82: "dns", 0x86: "uri", 0x87: "ip"}
"""Alternative names by tag, called as RabbitMQ's ssl_cert_login_san_type does (RFC 5280, 4.2.1.6)."""

_UTC_TIME_CENTURY: Final = 50
"""UTCTime has two digits for the year: below this they are after 2000 (RFC 5280, 4.1.2.5.1)."""


@frozen
class Certificate:
    """subject, issuer: as text.  common_names: of the subject.  alternative_names: (kind, name), kinds as in
    ssl_cert_login_san_type.  not_before, not_after: the time in which it is valid.
    """

    subject: str
    issuer: str
    common_names: tuple[str, ...]
    alternative_names: tuple[tuple[str, str], ...]
    not_before: datetime
    not_after: datetime

    @property
    def validity(self) -> str:
        """Both ends, as RabbitMQ writes them."""
        return f"{format_time(self.not_before)} - {format_time(self.not_after)}"

    def names_of(self, kind: str) -> list[str]:
        """The alternative names of one kind, in their order."""
        return [name for of_kind, name in self.alternative_names if of_kind == kind]


def format_time(time: datetime) -> str:
    """As 2026-01-31T12:00:00Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def first_certificate(pem: bytes) -> Certificate:
    """The first certificate in a PEM file, which is the server's own.  ValueError when there is none."""
    found = _PEM.search(pem)
    if found is None:
        raise ValueError("there is no certificate in it (-----BEGIN CERTIFICATE-----)")
    try:
        der = base64.b64decode(re.sub(rb"\s", b"", found[1]), validate=True)
    except binascii.Error:
        raise ValueError("its certificate is damaged") from None
    return parse_certificate(der)


def parse_certificate(der: bytes) -> Certificate:
    """Take a certificate apart.  ValueError for what isn't one."""
    certificate = _value(der, _SEQUENCE)
    fields = list(_elements(_value(certificate, _SEQUENCE)))
    if fields and fields[0][0] == _VERSION:
        del fields[0]
    if len(fields) < 6:
        raise ValueError("not a certificate: fields are missing")
    _, _, issuer, validity, subject, _ = (value for _, value in fields[:6])
    times = [_time(tag, value) for tag, value in _elements(validity)]
    if len(times) != 2:
        raise ValueError("not a certificate: the validity is not two times")
    extensions = [value for tag, value in fields[6:] if tag == _EXTENSIONS]
    return Certificate(
        subject=_name(subject),
        issuer=_name(issuer),
        common_names=tuple(value for kind, value in _parts(subject) if kind == _COMMON_NAME),
        alternative_names=tuple(_alternative_names(extensions[0])) if extensions else (),
        not_before=times[0],
        not_after=times[1],
    )


def _name(name: bytes) -> str:
    written = [
        "+".join(f"{_NAME_TYPES.get(kind, kind)}={_escape(value)}" for kind, value in _part(part))
        for _, part in _elements(name)
    ]
    return ",".join(reversed(written))


def _parts(name: bytes) -> Iterator[tuple[str, str]]:
    for _, value in _elements(name):
        yield from _part(value)


def _part(part: bytes) -> Iterator[tuple[str, str]]:
    """(type, value) of a relative distinguished name, which has one as a rule."""
    for _, attribute in _elements(part):
        elements = list(_elements(attribute))
        if len(elements) != 2 or elements[0][0] != _OBJECT_IDENTIFIER:
            raise ValueError("not a certificate: a name is damaged")
        yield _object_identifier(elements[0][1]), _string(*elements[1])


def _escape(value: str) -> str:
    """RFC 4514, 2.4, with RabbitMQ's additions."""
    escaped: list[str] = []
    data = value.encode("utf-8", "surrogateescape")
    for index, code in enumerate(data):
        character = chr(code)
        edge = (index == 0 and character in " #") or (index == len(data) - 1 and character == " ")
        if edge or character in '"+,;<>\\':
            escaped.append("\\" + character)
        elif code < 32 or code >= 126:
            escaped.append(f"\\{code:02X}")
        else:
            escaped.append(character)
    return "".join(escaped)


def _alternative_names(extensions: bytes) -> Iterator[tuple[str, str]]:
    for _, extension in _elements(_value(extensions, _SEQUENCE)):
        elements = list(_elements(extension))
        if len(elements) < 2 or _object_identifier(elements[0][1]) != _ALTERNATIVE_NAMES:
            continue
        for tag, value in _elements(_value(elements[-1][1], _SEQUENCE)):
            if tag in _NAME_KINDS:
                yield _NAME_KINDS[tag], _general_name(_NAME_KINDS[tag], value)


def _general_name(kind: str, value: bytes) -> str:
    if kind == "ip":
        return str(ip_address(value)) if len(value) in (4, 16) else value.hex()
    if kind == "other_name":
        elements = list(_elements(value))
        inner = list(_elements(elements[-1][1])) if elements else []
        return _string(*inner[0]) if inner else ""
    return value.decode("ascii", "backslashreplace")


def _string(tag: int, value: bytes) -> str:
    """A string of any type; what is no string as RFC 4514 writes such values."""
    coding = _STRINGS.get(tag)
    if coding is None:
        return f"#{bytes([tag]).hex()}{value.hex()}"
    try:
        return value.decode(coding)
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _time(tag: int, value: bytes) -> datetime:
    text = value.decode("ascii", "replace")
    if tag != _GENERALIZED_TIME:
        text = ("20" if text[:2] < str(_UTC_TIME_CENTURY) else "19") + text
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"not a certificate: {text!r} is no time") from None


def _object_identifier(value: bytes) -> str:
    """The dotted number (X.690, 8.19)."""
    numbers: list[int] = []
    number = 0
    for octet in value:
        number = number << 7 | octet & 0x7F
        if not octet & 0x80:
            numbers.append(number)
            number = 0
    if not numbers:
        raise ValueError("not a certificate: an object identifier is empty")
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, [first, numbers[0] - 40 * first, *numbers[1:]]))


def _value(data: bytes, tag: int) -> bytes:
    """The contents of the element that `data` begins with, which has to be of this type."""
    for found, value in _elements(data):
        if found == tag:
            return value
        break
    raise ValueError("not a certificate")


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(tag, contents) of elements one after the other (X.690, 8.1)."""
    position = 0
    while position < len(data):
        header = data[position : position + 2]
        if len(header) < 2:
            raise ValueError("not a certificate: it ends too early")
        tag, length = header
        position += 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(data[position : position + count], "big")
            position += count
        if length > len(data) - position:
            raise ValueError("not a certificate: it ends too early")
        yield tag, data[position : position + length]
        position += length
