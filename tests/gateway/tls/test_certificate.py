"""Certificates taken apart: held against the package `cryptography`, and fed with damage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID, ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st

from warren.gateway.tls.certificate import first_certificate, parse_certificate

KEY = ec.generate_private_key(ec.SECP256R1())
NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


def name(*parts: tuple[ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts])


def made(
    subject: x509.Name,
    alternative_names: list[x509.GeneralName] | None = None,
    until: datetime = NOW + timedelta(days=90),
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(name((NameOID.ORGANIZATION_NAME, "Example"), (NameOID.COMMON_NAME, "Authority")))
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    if alternative_names:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternative_names), critical=False)
    return builder.sign(KEY, hashes.SHA256())


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


EXAMPLE = der(
    made(
        name((NameOID.ORGANIZATION_NAME, "Example, Inc."), (NameOID.COMMON_NAME, "device 7")),
        [
            x509.DNSName("device.example"),
            x509.DNSName("*.device.example"),
            x509.IPAddress(ip_address("192.0.2.1")),
            x509.IPAddress(ip_address("2001:db8::1")),
            x509.RFC822Name("device@example.org"),
            x509.UniformResourceIdentifier("urn:device:7"),
            x509.OtherName(ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x07guest@x"),
            x509.DirectoryName(name((NameOID.COMMON_NAME, "not of interest"))),
        ],
    )
)


def test_everything_in_it() -> None:
    found = parse_certificate(EXAMPLE)
    assert found.subject == "CN=device 7,O=Example\\, Inc."
    assert found.issuer == "CN=Authority,O=Example"
    assert found.common_names == ("device 7",)
    assert found.names_of("dns") == ["device.example", "*.device.example"]
    assert found.names_of("ip") == ["192.0.2.1", "2001:db8::1"]
    assert found.names_of("email") == ["device@example.org"]
    assert found.names_of("uri") == ["urn:device:7"]
    assert found.names_of("other_name") == ["guest@x"]
    assert found.validity == "2026-01-31T12:00:00Z - 2026-05-01T12:00:00Z"


def test_the_first_of_a_file_with_several() -> None:
    first, second = made(name((NameOID.COMMON_NAME, "first"))), made(name((NameOID.COMMON_NAME, "second")))
    pem = b"Some words before\n" + b"".join(each.public_bytes(serialization.Encoding.PEM) for each in (first, second))
    assert first_certificate(pem).subject == "CN=first"
    assert first_certificate(pem.replace(b"\n", b"\r\n")).subject == "CN=first"


def test_a_certificate_beyond_2049() -> None:
    found = parse_certificate(der(made(name((NameOID.COMMON_NAME, "old")), until=datetime(2099, 12, 31, tzinfo=UTC))))
    assert found.not_after == datetime(2099, 12, 31, tzinfo=UTC)


def test_a_certificate_without_names() -> None:
    found = parse_certificate(der(made(name())))
    assert (found.subject, found.common_names, found.alternative_names) == ("", (), ())


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"),
        (" edge ", "\\ edge\\ "),
        ("#number", "\\#number"),
        ("a#b c", "a#b c"),
        ('a"b+c,d;e<f>g\\h', 'a\\"b\\+c\\,d\\;e\\<f\\>g\\\\h'),
        ("é~\x7f\n", "\\C3\\A9\\7E\\7F\\0A"),
    ],
)
def test_names_are_escaped_as_rabbitmq_does(value: str, written: str) -> None:
    found = parse_certificate(der(made(name((NameOID.COMMON_NAME, value)))))
    assert found.subject == f"CN={written}"
    assert found.common_names == (value,)


def test_parts_that_belong_together() -> None:
    subject = x509.Name(
        [
            x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.DOMAIN_COMPONENT, "org")]),
            x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.DOMAIN_COMPONENT, "example")]),
            x509.RelativeDistinguishedName(
                [x509.NameAttribute(NameOID.USER_ID, "u7"), x509.NameAttribute(NameOID.COMMON_NAME, "seven")]
            ),
            x509.RelativeDistinguishedName([x509.NameAttribute(ObjectIdentifier("1.2.3.4"), "own")]),
        ]
    )
    found = parse_certificate(der(made(subject))).subject
    assert found in ("1.2.3.4=own,UID=u7+CN=seven,DC=example,DC=org", "1.2.3.4=own,CN=seven+UID=u7,DC=example,DC=org")


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60))
def test_common_names_come_out_as_they_went_in(value: str) -> None:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, value, _validate=False)])
    assert parse_certificate(der(made(subject))).common_names == (value,)


@given(st.integers(0, len(EXAMPLE) - 1), st.integers(1, 255))
def test_damage_is_a_value_error_or_another_certificate(position: int, change: int) -> None:
    damaged = bytearray(EXAMPLE)
    damaged[position] ^= change
    try:
        parse_certificate(bytes(damaged))
    except ValueError:
        pass


@given(st.integers(0, len(EXAMPLE) - 1))
def test_what_ends_early_is_a_value_error(count: int) -> None:
    with pytest.raises(ValueError, match="not a certificate"):
        parse_certificate(EXAMPLE[:count])


@given(st.binary(max_size=200))
def test_garbage_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a certificate"):
        parse_certificate(data)
