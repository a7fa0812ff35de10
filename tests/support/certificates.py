"""An authority for tests, and the files of certificates that it signs."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from warren.gateway.configuration.config import Config


@dataclass(frozen=True)
class Files:
    """A certificate and its key."""

    certificate: Path
    key: Path


class TestAuthority:
    """Signs certificates, and writes them below `directory`.  ca: its own certificate."""

    __test__ = False

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._authority = trustme.CA()
        self.ca = directory / "ca.pem"
        self._authority.cert_pem.write_to_path(self.ca)

    def issue(
        self,
        name: str,
        *identities: str,
        user: str | None = None,
        organization: str | None = None,
        expired: bool = False,
        future: bool = False,
        rsa: bool = False,
    ) -> Files:
        """A certificate for these host names, addresses or mail addresses, in the files NAME.pem and NAME.key.

        user: its common name.  rsa: with a key of the kind that old devices know.
        """
        now = datetime.now(UTC)
        issued = self._authority.issue_cert(
            *identities,
            common_name=user,
            organization_name=organization,
            not_before=now + timedelta(days=1) if future else now - timedelta(days=90),
            not_after=now - timedelta(days=1) if expired else now + timedelta(days=90),
            key_type=trustme.KeyType.RSA if rsa else trustme.KeyType.ECDSA,
        )
        files = Files(self.directory / f"{name}.pem", self.directory / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(files.certificate)
        files.key.touch(0o600)
        issued.private_key_pem.write_to_path(files.key)
        return files

    def client_context(self, client: Files | None = None) -> ssl.SSLContext:
        """What a client uses that trusts this authority, and shows this certificate."""
        context = ssl.create_default_context(cafile=self.ca)
        if client is not None:
            context.load_cert_chain(client.certificate, client.key)
        return context


def config_with(authority: TestAuthority, server: Files, **changes: object) -> Config:
    """A broker in memory with this certificate, which knows the authority of its clients."""
    values: dict[str, object] = {
        "in_memory": True,
        "tls_certificate_file": server.certificate,
        "tls_key_file": server.key,
        "tls_ca_file": authority.ca,
    }
    return Config(**{**values, **changes})  # type: ignore[arg-type]  # checked by whoever names the keys
