"""Keys and tokens made for tests: RSA, EC and Ed25519, and what signs with them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


@dataclass(frozen=True)
class TestKey:
    """private: signs.  algorithm: by which."""

    __test__ = False

    kid: str
    private: Any
    algorithm: str

    def pem(self) -> bytes:
        """The public half, or the secret itself."""
        if isinstance(self.private, bytes):
            return self.private
        return bytes(self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    def write(self, directory: Path) -> Path:
        """The same as a file."""
        path = directory / f"{self.kid}.pem"
        path.write_bytes(self.pem())
        return path

    def jwk(self, **others: object) -> dict[str, object]:
        """The public half as a JSON Web Key."""
        handler = jwt.get_algorithm_by_name(self.algorithm)
        public = self.private if isinstance(self.private, bytes) else self.private.public_key()
        return {**handler.to_jwk(public, as_dict=True), "kid": self.kid, "use": "sig", **others}

    def sign(self, claims: Mapping[str, object], **header: object) -> str:
        """A token with these claims; header: instead of what there would be, None for nothing."""
        named = {"kid": self.kid, **header}
        found = {name: value for name, value in named.items() if value is not None}
        return jwt.encode(dict(claims), self.private, algorithm=self.algorithm, headers=found)


@cache
def rsa_key(kid: str = "rsa", bits: int = 2048) -> TestKey:
    """A key of this size."""
    return TestKey(kid, rsa.generate_private_key(public_exponent=65537, key_size=bits), "RS256")


@cache
def ec_key(kid: str = "ec") -> TestKey:
    """One on P-256."""
    return TestKey(kid, ec.generate_private_key(ec.SECP256R1()), "ES256")


@cache
def ed_key(kid: str = "ed") -> TestKey:
    """An Ed25519 key."""
    return TestKey(kid, ed25519.Ed25519PrivateKey.generate(), "EdDSA")


@cache
def secret_key(kid: str = "secret") -> TestKey:
    """A secret for HS256."""
    return TestKey(kid, b"a secret of thirty-two bytes ...", "HS256")


def forged(header: Mapping[str, object], claims: object, signature: bytes = b"") -> str:
    """A token as nobody signs it."""
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def jwks(*keys: TestKey) -> str:
    """A JSON Web Key Set."""
    return json.dumps({"keys": [key.jwk() for key in keys]})
