"""What an operator decides about TLS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from warren.core.configuration.key import Key, configured, milliseconds
from warren.core.configuration.values import (
    CertificateFiles,
    certificate_files,
    number,
    one_of,
    path,
    seconds_of,
    several_of,
    text,
    texts,
    whole_number,
)
from warren.core.frozen import frozen

if TYPE_CHECKING:
    from warren.gateway.tls.certificate import Certificate


_NO_CIPHERS: Final[tuple[str, ...]] = ()

_NO_CERTIFICATES: Final[tuple[CertificateFiles, ...]] = ()


@frozen
class TlsSettings:
    """Certificates, whose clients are believed, and what of a client's certificate is the name of its user."""

    certificate_file: Path | None = configured(
        Key(
            "tls_certificate_file",
            path,
            None,
            "The certificate that the broker shows, and those that lead to its authority, in PEM. "
            "Changed files are used for new connections at once, also for the following keys.",
        )
    )
    key_file: Path | None = configured(
        Key("tls_key_file", path, None, "The certificate's private key, in PEM; unless it is in the same file.")
    )
    key_password: str = configured(
        Key("tls_key_password", text, "", "Password of private keys that are encrypted.", secret=True)
    )
    server_name_certificates: tuple[CertificateFiles, ...] = configured(
        Key(
            "tls_server_name_certificates",
            certificate_files,
            _NO_CERTIFICATES,
            "More certificates, each as CERTIFICATE_FILE:KEY_FILE, for clients that ask for one of "
            "the names in them (SNI).",
        )
    )
    ca_file: Path | None = configured(
        Key("tls_ca_file", path, None, "Certificates of the authorities that sign client certificates, in PEM.")
    )
    verify: str = configured(
        Key(
            "tls_verify",
            one_of(("none", "optional", "required")),
            "none",
            "Whether clients are asked for a certificate: `none`, `optional` (one that is shown has "
            "to be good) or `required`. A good certificate is a login for AMQP's EXTERNAL, and for "
            "STOMP and MQTT with `stomp_certificate_login` and `mqtt_certificate_login`.",
        )
    )
    versions: frozenset[str] = configured(
        Key(
            "tls_versions",
            several_of(("1.2", "1.3")),
            frozenset({"1.2", "1.3"}),
            'Versions of TLS that are spoken: "1.2", "1.3" or both.',
        )
    )
    ciphers: tuple[str, ...] = configured(
        Key(
            "tls_ciphers",
            texts,
            _NO_CIPHERS,
            "Ciphers of TLS 1.2, by OpenSSL's or the standard's names, in the order in which they are preferred, in "
            "place of the default ones; `default` among them stands for those. Old devices may need ones without "
            "forward secrecy, such as AES128-SHA. TLS 1.3 has its own, which are always there; where only such are "
            "named, TLS 1.2 isn't spoken. See [tls.md](tls.md#old-devices).",
        )
    )
    handshake_timeout_ms: int = configured(
        Key(
            "tls_handshake_timeout_s",
            number(0.1, 3600, "seconds"),
            5.0,
            "Time a client has from connecting to the end of the TLS handshake, in seconds.",
            rabbitmq=("ssl_handshake_timeout",),
            from_rabbitmq=seconds_of,
        ),
        milliseconds,
    )
    login_from: str = configured(
        Key(
            "tls_certificate_login_from",
            one_of(("distinguished_name", "common_name", "subject_alternative_name")),
            "distinguished_name",
            "What of a client's certificate is the name of its user: `distinguished_name` "
            "(CN=device,O=Example), `common_name` or `subject_alternative_name`.",
        )
    )
    san_type: str = configured(
        Key(
            "tls_certificate_login_san_type",
            one_of(("dns", "ip", "email", "uri", "other_name")),
            "dns",
            "Which kind of alternative name that is: `dns`, `ip`, `email`, `uri` or `other_name`.",
            rabbitmq=("ssl_cert_login_san_type",),
        )
    )
    san_index: int = configured(
        Key(
            "tls_certificate_login_san_index",
            whole_number(0, 99),
            0,
            "Which one of this kind, from 0.",
            rabbitmq=("ssl_cert_login_san_index",),
        )
    )

    @property
    def verifies(self) -> bool:
        """Whether clients may show a certificate; those who do have to show a good one."""
        return self.verify != "none"

    def login_name(self, certificate: Certificate) -> str | None:
        """The user that a verified certificate stands for; None when it has no such name."""
        if self.login_from == "distinguished_name":
            return certificate.subject or None
        if self.login_from == "common_name":
            return ",".join(certificate.common_names) or None
        names = certificate.names_of(self.san_type)
        return names[self.san_index] if self.san_index < len(names) else None
