"""PROXY headers, whole, cut anywhere, and wrong in every way the document names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.adapters.proxy_protocol.header import (
    SIGNATURE,
    V1_BYTES_MAX,
    V2_BYTES_MAX,
    ProxyHeader,
    ProxyHeaderError,
    crc32c,
    parse_proxy_header,
)

SOURCE4, DESTINATION4 = bytes([198, 51, 100, 7]), bytes([192, 0, 2, 1])
SOURCE6 = bytes.fromhex("20010db8000000000000000000000007")
DESTINATION6 = bytes.fromhex("20010db8000000000000000000000001")
PORTS = (56324).to_bytes(2, "big") + (5672).to_bytes(2, "big")


def version_2(command: int, family: int, body: bytes) -> bytes:
    return SIGNATURE + bytes([command, family]) + len(body).to_bytes(2, "big") + body


def tlv(kind: int, value: bytes) -> bytes:
    return bytes([kind]) + len(value).to_bytes(2, "big") + value


def with_checksum(header: bytes) -> bytes:
    """The header, which ends with a checksum of zeros, with the right one."""
    return header[:-4] + crc32c(header).to_bytes(4, "big")


IPV4 = version_2(0x21, 0x11, SOURCE4 + DESTINATION4 + PORTS)
CHECKED = with_checksum(version_2(0x21, 0x11, SOURCE4 + DESTINATION4 + PORTS + tlv(0x04, b"..") + tlv(0x03, bytes(4))))

_TWICE = version_2(0x21, 0x11, bytes(12) + 2 * tlv(0x03, bytes(4)))
TWICE_CHECKED = _TWICE[:31] + crc32c(_TWICE).to_bytes(4, "big") + _TWICE[35:]
"""The first of its two checksums is right."""

PEER, OWN = ("198.51.100.7", 56324), ("192.0.2.1", 5672)
PEER6, OWN6 = ("2001:db8::7", 56324), ("2001:db8::1", 5672)

GOOD = {
    "v1 IPv4": (b"PROXY TCP4 198.51.100.7 192.0.2.1 56324 5672\r\n", PEER, OWN),
    "v1 IPv6": (b"PROXY TCP6 2001:db8::7 2001:DB8:0:0::1 56324 5672\r\n", PEER6, OWN6),
    "v1 IPv4 in IPv6": (
        b"PROXY TCP6 ::ffff:127.0.0.1 ::1 56324 5672\r\n",
        ("::ffff:127.0.0.1", 56324),
        ("::1", 5672),
    ),
    "v1 UNKNOWN": (b"PROXY UNKNOWN\r\n", ("unknown", 0), None),
    "v1 UNKNOWN with addresses": (
        b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n",
        ("unknown", 0),
        None,
    ),
    "v1 longest": (
        b"PROXY UNKNOWN " + b"f" * (V1_BYTES_MAX - len(b"PROXY UNKNOWN \r\n")) + b"\r\n",
        ("unknown", 0),
        None,
    ),
    "v2 IPv4": (IPV4, PEER, OWN),
    "v2 IPv6": (version_2(0x21, 0x21, SOURCE6 + DESTINATION6 + PORTS), PEER6, OWN6),
    "v2 IPv4 in IPv6": (
        version_2(0x21, 0x21, bytes(10) + b"\xff\xff\x7f\0\0\1" + DESTINATION6 + PORTS),
        ("::ffff:127.0.0.1", 56324),
        OWN6,
    ),
    "v2 Unix": (version_2(0x21, 0x31, bytes(216)), ("unix", 0), None),
    "v2 unspecified": (version_2(0x21, 0x00, b""), ("unknown", 0), None),
    "v2 LOCAL": (version_2(0x20, 0x00, b""), None, None),
    "v2 LOCAL with addresses": (version_2(0x20, 0x11, SOURCE4 + DESTINATION4 + PORTS), None, None),
    "v2 LOCAL that is short": (version_2(0x20, 0x11, b"abc"), None, None),
    "v2 LOCAL over datagrams": (version_2(0x20, 0x12, SOURCE4 + DESTINATION4 + PORTS), None, None),
    "v2 with TLVs": (
        version_2(0x21, 0x11, SOURCE4 + DESTINATION4 + PORTS + tlv(0x01, b"h2") + tlv(0x20, b"x" * 300)),
        PEER,
        OWN,
    ),
    "v2 with a checksum": (CHECKED, PEER, OWN),
    "v2 longest": (
        version_2(0x21, 0x11, SOURCE4 + DESTINATION4 + PORTS + tlv(0xEA, bytes(V2_BYTES_MAX - 12 - 3))),
        PEER,
        OWN,
    ),
}

BAD = {
    "no header": (b"AMQP\x00\x00\x09\x01", "instead of a PROXY header"),
    "TLS": (b"\x16\x03\x01\x02\x00", "instead of a PROXY header"),
    "lower case": (b"proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n", "instead of a PROXY header"),
    "no end": (b"PROXY UNKNOWN " + b"f" * V1_BYTES_MAX, "longer than 107 bytes"),
    "a longer line": (b"PROXY UNKNOWN " + b"f" * (V1_BYTES_MAX - 15) + b"\r\n", "longer than 107 bytes"),
    "another family": (b"PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n", "is not PROXY TCP4"),
    "no family": (b"PROXY \r\n", "is not PROXY TCP4"),
    "a word too few": (b"PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n", "is not PROXY TCP4"),
    "two spaces": (b"PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n", "is not PROXY TCP4"),
    "IPv6 as IPv4": (b"PROXY TCP4 ::1 2.2.2.2 1 2\r\n", "'::1' for an address of TCP4"),
    "a scope": (b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", "'fe80::1%eth0' for an address of TCP6"),
    "IPv4 as IPv6": (b"PROXY TCP6 1.1.1.1 ::1 1 2\r\n", "'1.1.1.1' for an address of TCP6"),
    "a name": (b"PROXY TCP4 localhost 2.2.2.2 1 2\r\n", "'localhost' for an address"),
    "octal": (b"PROXY TCP4 127.0.0.01 2.2.2.2 1 2\r\n", "'127.0.0.01' for an address"),
    "a port too high": (b"PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n", "'65536' for a port"),
    "a port with a zero in front": (b"PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n", "'01' for a port"),
    "a port with a sign": (b"PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n", "'\\+1' for a port"),
    "not ASCII": (b"PROXY TCP4 1.1.1.\xb9 2.2.2.2 1 2\r\n", "for an address"),
    "a damaged signature": (SIGNATURE[:-1] + b"\x0b\x21\x11\0\0", "instead of a PROXY header"),
    "version 1 in binary": (version_2(0x11, 0x11, bytes(12)), "0x11: not 2 and known"),
    "version 3": (version_2(0x31, 0x11, bytes(12)), "0x31: not 2 and known"),
    "an unknown command": (version_2(0x22, 0x11, bytes(12)), "0x22: not 2 and known"),
    "datagrams": (version_2(0x21, 0x12, bytes(12)), "about 0x12"),
    "an unknown family": (version_2(0x21, 0x41, bytes(12)), "about 0x41"),
    "LOCAL of an unknown family": (version_2(0x20, 0x41, bytes(12)), "about 0x41"),
    "IPv4 that is short": (version_2(0x21, 0x11, bytes(11)), "too short for its addresses"),
    "IPv6 that is short": (version_2(0x21, 0x21, bytes(35)), "too short for its addresses"),
    "Unix that is short": (version_2(0x21, 0x31, bytes(215)), "too short for its addresses"),
    "too long": (SIGNATURE + b"\x21\x11" + (V2_BYTES_MAX + 1).to_bytes(2, "big"), "which is more than"),
    "half a TLV's header": (version_2(0x21, 0x11, bytes(12) + b"\x04\0"), "ends within a TLV"),
    "half a TLV": (version_2(0x21, 0x11, bytes(12) + b"\x04\0\x02."), "ends within a TLV"),
    "a wrong checksum": (CHECKED[:-1] + bytes([CHECKED[-1] ^ 1]), "checksum of the PROXY header is wrong"),
    "a changed address": (CHECKED[:17] + b"\x01" + CHECKED[18:], "checksum of the PROXY header is wrong"),
    "two checksums": (TWICE_CHECKED, "has two checksums"),
    "a short checksum": (version_2(0x21, 0x11, bytes(12) + tlv(0x03, b"123")), "checksum of 3 bytes"),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_headers(name: str) -> None:
    header, source, destination = GOOD[name]
    assert parse_proxy_header(header) == ProxyHeader(len(header), source, destination)


@pytest.mark.parametrize("name", GOOD)
def test_what_follows_is_left_alone(name: str) -> None:
    header, source, destination = GOOD[name]
    assert parse_proxy_header(header + b"PROXY \r\n") == ProxyHeader(len(header), source, destination)


@pytest.mark.parametrize("name", GOOD)
def test_a_part_of_a_header_is_none_yet(name: str) -> None:
    header = GOOD[name][0]
    for count in range(len(header) if len(header) < 1000 else 600):
        assert parse_proxy_header(header[:count]) is None


@pytest.mark.parametrize("name", BAD)
def test_bad_headers(name: str) -> None:
    header, reason = BAD[name]
    with pytest.raises(ProxyHeaderError, match=reason):
        parse_proxy_header(header)


def test_the_checksum_is_castagnolis() -> None:
    # RFC 9260, appendix A, gives the polynomial; the value for these digits is the one every catalogue has.
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA


@given(st.binary(max_size=300))
def test_garbage_is_refused_or_waited_for(data: bytes) -> None:
    try:
        parse_proxy_header(data)
    except ProxyHeaderError:
        pass


@given(st.integers(0, len(CHECKED) - 1), st.integers(1, 255))
def test_every_damage_to_a_header_with_a_checksum_is_noticed(position: int, change: int) -> None:
    damaged = bytearray(CHECKED)
    damaged[position] ^= change
    try:
        header = parse_proxy_header(bytes(damaged))
    except ProxyHeaderError:
        return
    # What is left is damage to lengths and to the checksum's own type, behind which there is nothing to check.
    assert header is None or position in (12, 13, 14, 15, 28, 29, 30, 33)


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(0, 65535), st.integers(0, 65535))
def test_addresses_come_out_as_they_went_in(source: object, destination: object, port: int, own_port: int) -> None:
    line = f"PROXY TCP4 {source} {destination} {port} {own_port}\r\n".encode()
    assert parse_proxy_header(line) == ProxyHeader(len(line), (str(source), port), (str(destination), own_port))
