"""The PROXY header: who the peer is that a proxy speaks for (HAProxy, "The PROXY protocol", 2.1 and 2.2).

    v1   PROXY TCP4 198.51.100.7 192.0.2.1 56324 5672 CR LF       a line of at most 107 bytes
    v2   0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A                      signature
         21                                                       version 2, PROXY; 20: LOCAL
         11                                                       IPv4, stream; 21: IPv6, 31: Unix, 00: unspecified
         00 0C                                                    length of what follows: addresses, then TLVs
         addresses (4 + 4 or 16 + 16 bytes), ports (2 + 2), TLVs

Addresses of v1 are taken strictly: what a proxy writes it could not have read from anywhere but a socket.  Of the TLVs,
the checksum is verified when it is there (2.2.4), the rest is skipped.

A proxy that says nothing about its client (UNKNOWN, the family AF_UNSPEC) leaves it without an address here, where the
document recommends the proxy's own: that may be this machine, from where more is allowed (`loopback_users`).  LOCAL is
different: the proxy speaks for itself, to see whether the broker is alive.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from struct import Struct
from typing import Final

from warren.core.frozen import frozen
from warren.core.limit_hits import limited

SIGNATURE: Final = bytes.fromhex("0D0A0D0A000D0A515549540A")

V1_START: Final = b"PROXY "

V1_BYTES_MAX: Final = 107
"""The longest line, with its end (2.1)."""

V2_BYTES_MAX: Final = 16 * 1024
"""Addresses and TLVs: a certificate of a proxy's client fits; the field could say 64 KiB."""

UNKNOWN_HOST: Final = "unknown"
"""The address of a peer that the proxy says nothing about."""

UNIX_HOST: Final = "unix"
"""The address of a peer that is connected to the proxy by a Unix socket."""

_envelope = Struct(">12sBBH")
_ports = Struct(">HH")

_TLV_CRC32C: Final = 0x03
_CRC_BYTES: Final = 4
_TLV_HEADER_BYTES: Final = 3

_FAMILIES: Final = {0: 0, 1: 4, 2: 16, 3: 108}
"""Bytes of one address, by the upper half of the 14th byte: unspecified, IPv4, IPv6, Unix."""

_PORT: Final = re.compile("0|[1-9][0-9]{0,4}")


def _crc_of(octet: int) -> int:
    for _ in range(8):
        octet = octet >> 1 ^ (0x82F63B78 if octet & 1 else 0)
    return octet


_CRC_BY_OCTET: Final = [_crc_of(octet) for octet in range(256)]
"""Of 16 KiB, anybody who reaches the port can have the checksum computed: bit by bit, it would take 12 ms."""


class ProxyHeaderError(Exception):
    """What came is no PROXY header; the text says why.  limit: the one that it comes from, if any."""

    limit = ""


@frozen
class ProxyHeader:
    """A header of `size` bytes, and whom it speaks of: source the peer, destination what it connected to, each
    (host, port).  Both None: the proxy itself.
    """

    size: int
    source: tuple[str, int] | None = None
    destination: tuple[str, int] | None = None


def parse_proxy_header(data: bytes) -> ProxyHeader | None:
    """The header that `data` begins with; None while it isn't whole.  Raises ProxyHeaderError."""
    if data[:1] == SIGNATURE[:1]:
        return _version_2(data)
    if not V1_START.startswith(data[: len(V1_START)]):
        raise ProxyHeaderError(f"it begins with {data[:8]!r} instead of a PROXY header")
    return _version_1(data)


def missing_bytes(data: bytes) -> int:
    """How many bytes have to come at least before the header that `data` begins is whole; 1 where that isn't known."""
    if data[:1] != SIGNATURE[:1] or len(data) < _envelope.size:
        return 1
    return max(_envelope.size + int(_envelope.unpack_from(data)[3]) - len(data), 1)


def _version_1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, V1_BYTES_MAX)
    if end < 0:
        if len(data) >= V1_BYTES_MAX:
            raise _too_long(f"is longer than {V1_BYTES_MAX} bytes")
        return None
    words = data[:end].decode("ascii", "replace").split(" ")
    size = end + 2
    family = words[1]
    if family == "UNKNOWN":
        return ProxyHeader(size, (UNKNOWN_HOST, 0))
    if family not in ("TCP4", "TCP6") or len(words) != 6:
        raise ProxyHeaderError(f"the PROXY header {data[:end]!r} is not PROXY TCP4|TCP6|UNKNOWN and two addresses")
    source, destination = (_address_in_text(family, words[at], words[at + 2]) for at in (2, 3))
    return ProxyHeader(size, source, destination)


def _too_long(why: str) -> ProxyHeaderError:
    return limited(ProxyHeaderError(f"the PROXY header {why}"), "bytes of a PROXY header")


def _address_in_text(family: str, host: str, port: str) -> tuple[str, int]:
    if not _PORT.fullmatch(port) or int(port) > 0xFFFF:
        raise ProxyHeaderError(f"the PROXY header has {port!r} for a port")
    try:
        address = IPv4Address(host) if family == "TCP4" else IPv6Address(host)
    except AddressValueError:
        raise ProxyHeaderError(f"the PROXY header has {host!r} for an address of {family}") from None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise ProxyHeaderError(f"the PROXY header has {host!r} for an address of {family}")
    return _text(address), int(port)


def _text(address: IPv4Address | IPv6Address) -> str:
    """As the socket library writes it: an IPv4 address in IPv6 (RFC 4291, 2.5.5.2) with dots."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return f"::ffff:{address.ipv4_mapped}"
    return str(address)


def _version_2(data: bytes) -> ProxyHeader | None:
    if not SIGNATURE.startswith(data[: len(SIGNATURE)]):
        raise ProxyHeaderError(f"it begins with {data[:12]!r} instead of a PROXY header")
    if len(data) < _envelope.size:
        return None
    _, version_and_command, family, length = _envelope.unpack_from(data)
    if version_and_command not in (0x20, 0x21):
        raise ProxyHeaderError(f"the PROXY header has version and command 0x{version_and_command:02x}: not 2 and known")
    if length > V2_BYTES_MAX:
        raise _too_long(f"says that it has {length} bytes, which is more than {V2_BYTES_MAX}")
    size = _envelope.size + length
    if len(data) < size:
        return None
    address_bytes = _FAMILIES.get(family >> 4)
    is_local = version_and_command == 0x20
    if address_bytes is None or (family not in (0x00, 0x11, 0x21, 0x31) and not is_local):
        raise ProxyHeaderError(f"the PROXY header is about 0x{family:02x}, which is no stream over IPv4, IPv6 or Unix")
    header = data[:size]
    tlvs_at = _envelope.size + 2 * address_bytes + (_ports.size if family >> 4 in (1, 2) else 0)
    if tlvs_at > size:
        if is_local:
            return ProxyHeader(size)
        raise ProxyHeaderError("the PROXY header is too short for its addresses")
    _check_tlvs(header, tlvs_at)
    if is_local:
        return ProxyHeader(size)
    return ProxyHeader(size, *_addresses_in_binary(header, family >> 4, address_bytes))


def _addresses_in_binary(
    header: bytes, family: int, address_bytes: int
) -> tuple[tuple[str, int], tuple[str, int] | None]:
    if family == 0:
        return (UNKNOWN_HOST, 0), None
    if family == 3:
        return (UNIX_HOST, 0), None
    at = _envelope.size
    hosts = []
    for position in (at, at + address_bytes):
        address = header[position : position + address_bytes]
        hosts.append(_text(IPv4Address(address) if family == 1 else IPv6Address(address)))
    source_port, destination_port = _ports.unpack_from(header, at + 2 * address_bytes)
    return (hosts[0], source_port), (hosts[1], destination_port)


def _check_tlvs(header: bytes, position: int) -> None:
    """Walk the TLVs; a checksum among them has to be right, and the only one (2.2.4): it costs time."""
    checked = False
    while position < len(header):
        value_at = position + _TLV_HEADER_BYTES
        if value_at > len(header):
            raise ProxyHeaderError("the PROXY header ends within a TLV")
        kind = header[position]
        length = int.from_bytes(header[position + 1 : value_at], "big")
        if value_at + length > len(header):
            raise ProxyHeaderError("the PROXY header ends within a TLV")
        if kind == _TLV_CRC32C:
            if checked:
                raise ProxyHeaderError("the PROXY header has two checksums")
            _check_crc(header, value_at, length)
            checked = True
        position = value_at + length


def _check_crc(header: bytes, at: int, length: int) -> None:
    if length != _CRC_BYTES:
        raise ProxyHeaderError(f"the PROXY header has a checksum of {length} bytes")
    expected = int.from_bytes(header[at : at + length], "big")
    if crc32c(header[:at] + bytes(length) + header[at + length :]) != expected:
        raise ProxyHeaderError("the checksum of the PROXY header is wrong")


def crc32c(data: bytes) -> int:
    """The Castagnoli checksum (RFC 9260, appendix A)."""
    crc = 0xFFFFFFFF
    for octet in data:
        crc = crc >> 8 ^ _CRC_BY_OCTET[(crc ^ octet) & 0xFF]
    return crc ^ 0xFFFFFFFF
