"""Certificates to develop with: an authority of one's own, a server certificate and a client certificate.

Made with the package `cryptography`, which the broker itself doesn't need (`pip install warren-mq[tls]`).  What is made
is what today's clients take: P-256 keys, names among the alternative names, no longer valid than 825 days (Apple's
limit for such certificates).  The authority stays when the command is given again, so that clients which trust it go on
doing so; the other two are made anew, for the same names and those that come with it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

from warren.core.frozen import frozen
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.client import CommandFailedError
from warren.gateway.tls.certificate import first_certificate

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError:
    raise CommandFailedError(
        "making certificates needs the package cryptography: pip install 'warren-mq[tls]'", codes.SOFTWARE
    ) from None

if TYPE_CHECKING:
    from cryptography.x509.general_name import GeneralName

AUTHORITY_DAYS: Final = 3650

LEAF_DAYS: Final = 825

BACKDATED: Final = timedelta(hours=1)
"""Clocks of other machines may be late."""

ORGANIZATION: Final = "Warren development"


@frozen
class Made:
    """Where everything is, which names the server certificate is for, and whether the authority was there before."""

    directory: Path
    names: tuple[str, ...]
    user: str
    authority_kept: bool
    expires: datetime

    def path(self, name: str) -> Path:
        """The file of this name."""
        return self.directory / name


@frozen
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def make_certificates(directory: Path, names: Sequence[str], user: str, now: datetime) -> Made:
    """Make, or renew, what is in `directory`: ca, server and client, each as .pem and .key.

    names: for the server certificate, beside localhost and this machine's.  user: the common name of the client's.
    Raises CommandFailedError for a directory that can't be written, a name that is none, and an authority that can't
    be used any more.
    """
    own = ["localhost", "127.0.0.1", "::1", *_host_name()]
    names = tuple(dict.fromkeys([*own, *_names_before(directory), *names]))
    alternative_names = [_general_name(name) for name in names]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        authority = _existing_authority(directory, now)
        kept = authority is not None
        if authority is None:
            authority = _make_authority(directory, now)
        expires = min(now + timedelta(days=LEAF_DAYS), authority.certificate.not_valid_after_utc)
        server = _leaf(names[0], authority, now, expires, ExtendedKeyUsageOID.SERVER_AUTH, alternative_names)
        client = _leaf(user, authority, now, expires, ExtendedKeyUsageOID.CLIENT_AUTH, [])
        for name, leaf in (("server", server), ("client", client)):
            _write(directory, name, leaf)
    except OSError as error:
        raise CommandFailedError(f"{directory}: {error.strerror or error}", codes.SOFTWARE) from None
    return Made(directory, names, user, kept, expires)


def _host_name() -> list[str]:
    """This machine's name, if a certificate can have it."""
    name = socket.gethostname()
    try:
        _general_name(name)
    except CommandFailedError:
        return []
    return [name]


def _names_before(directory: Path) -> list[str]:
    """The names in the server certificate that is there."""
    try:
        certificate = first_certificate((directory / "server.pem").read_bytes())
    except (OSError, ValueError):
        return []
    return certificate.names_of("dns") + certificate.names_of("ip")


def _general_name(name: str) -> GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        pass
    try:
        ascii_name = name.encode("idna").decode("ascii")
        if not ascii_name or any(character.isspace() for character in ascii_name):
            raise ValueError
        return x509.DNSName(ascii_name)
    except ValueError:
        raise CommandFailedError(f"--name {name!r}: must be a host name or an IP address", codes.USAGE) from None


def _existing_authority(directory: Path, now: datetime) -> _Authority | None:
    certificate_file, key_file = directory / "ca.pem", directory / "ca.key"
    if not certificate_file.exists() and not key_file.exists():
        return None
    again = f"remove {certificate_file} and {key_file} to begin with a new authority, which clients have to be given"
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise CommandFailedError(
            f"the authority in {directory} can't be used ({error}); {again}", codes.SOFTWARE
        ) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
        raise CommandFailedError(f"the authority's key in {directory} isn't its own; {again}", codes.SOFTWARE)
    if certificate.not_valid_after_utc <= now:
        raise CommandFailedError(f"the authority in {directory} has expired; {again}", codes.SOFTWARE)
    return _Authority(certificate, key)


def _make_authority(directory: Path, now: datetime) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"Warren development authority ({socket.gethostname()})")
    certificate = (
        _builder(name, name, key, now, now + timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    authority = _Authority(certificate, key)
    _write(directory, "ca", authority)
    return authority


def _leaf(
    common_name: str,
    authority: _Authority,
    now: datetime,
    expires: datetime,
    purpose: x509.ObjectIdentifier,
    alternative_names: Iterable[GeneralName],
) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate
    builder = (
        _builder(_name(common_name), issuer.subject, key, now, expires)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
    )
    alternative_names = list(alternative_names)
    if alternative_names:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternative_names), critical=False)
    return _Authority(builder.sign(authority.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, expires: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before((now - BACKDATED).astimezone(UTC))
        .not_valid_after(expires.astimezone(UTC))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    try:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
                x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            ]
        )
    except ValueError as error:
        raise CommandFailedError(f"{common_name!r} can't be a common name: {error}", codes.USAGE) from None


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _write(directory: Path, name: str, made: _Authority) -> None:
    """The key first, so that a running broker that sees a new certificate finds its key."""
    key = made.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _replace(directory / f"{name}.key", key, 0o600)
    _replace(directory / f"{name}.pem", made.certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _replace(path: Path, content: bytes, mode: int) -> None:
    """The file appears whole, and never with more rights than it should have."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
