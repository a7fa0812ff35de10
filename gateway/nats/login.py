"""Who we say we are: by name and password, by token, or by signing what the server sends with a key (an nkey).

A seed is base32: two octets that say what kind of key it is, 32 octets of an Ed25519 key, and their CRC-16.  A file of
credentials (`.creds`) holds a JSON web token and a seed, each between two lines of dashes.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from warren.gateway.nats.addresses import ServerAddress
from warren.gateway.nats.errors import LoginRefused

_SEED_PREFIX: Final = 18 << 3
"""The first letter of every seed is S."""
_KEY_BYTES: Final = 32
_SEED_BYTES: Final = 2 + _KEY_BYTES + 2
_SECTION: Final = re.compile(r"-{3,}BEGIN ([A-Z ]+)-{3,}\s*\n\s*([^\s-]+)\s*\n\s*-{3,}END \1-{3,}")


@dataclass(frozen=True, slots=True)
class Login:
    """What goes into CONNECT; empty fields say nothing.  seed: of an nkey.  jwt: the token that belongs to it."""

    user: str = ""
    password: str = ""
    token: str = ""
    seed: str = ""
    jwt: str = ""

    def fields(self, server: ServerAddress, nonce: str) -> dict[str, object]:
        """Those of CONNECT.  nonce: what the server wants signed.  Raises LoginRefused where that can't be done."""
        if self.seed:
            if not nonce:
                raise LoginRefused(f"{server} doesn't ask for a signature, and a key is all there is to log in with")
            public, signature = sign(self.seed, nonce.encode())
            return {"jwt": self.jwt, "sig": signature} if self.jwt else {"nkey": public, "sig": signature}
        if self.token:
            return {"auth_token": self.token}
        user, password = (self.user, self.password) if self.user else (server.user, server.password)
        if user and not password and not self.user:
            return {"auth_token": user}
        return {"user": user, "pass": password} if user else {}


def login_of_credentials(text: str) -> Login:
    """What a file of credentials holds.  Raises ValueError, with words."""
    sections = {name.strip(): value for name, value in _SECTION.findall(text)}
    jwt, seed = sections.get("NATS USER JWT", ""), sections.get("USER NKEY SEED", "")
    if not jwt or not seed:
        raise ValueError(
            "this isn't a file of NATS credentials: it should hold a user's JWT and the seed of a user's key"
        )
    decode_seed(seed)
    return Login(seed=seed, jwt=jwt)


def decode_seed(seed: str) -> tuple[int, bytes]:
    """(the octet that public keys of its kind begin with, the key) of a seed.  Raises ValueError, with words."""
    try:
        raw = base64.b32decode(seed + "=" * (-len(seed) % 8))
    except (binascii.Error, ValueError):
        raise ValueError("the seed of an nkey is base32: capital letters and digits") from None
    if len(raw) != _SEED_BYTES or raw[0] & 0xF8 != _SEED_PREFIX:
        raise ValueError("this is no seed of an nkey; those begin with S, and with SU for a user")
    if _checksum(raw[:-2]) != raw[-2:]:
        raise ValueError("the seed of the nkey fails its checksum: a letter is wrong or missing")
    # Five bits of the first octet say that it is a seed, the next five whose.
    kind = (raw[0] & 0x07) << 5 | (raw[1] & 0xF8) >> 3
    return kind, raw[2:-2]


def sign(seed: str, nonce: bytes) -> tuple[str, str]:
    """(public key, signature) for this nonce, as CONNECT has them.

    Raises LoginRefused where the seed is none, or the library for it isn't installed.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError as error:
        raise LoginRefused("to log in with an nkey, install the package cryptography") from error
    try:
        kind, secret = decode_seed(seed)
    except ValueError as error:
        raise LoginRefused(str(error)) from error
    key = Ed25519PrivateKey.from_private_bytes(secret)
    public = bytes([kind]) + key.public_key().public_bytes_raw()
    named = base64.b32encode(public + _checksum(public)).decode().rstrip("=")
    return named, base64.urlsafe_b64encode(key.sign(nonce)).decode().rstrip("=")


def _checksum(data: bytes) -> bytes:
    """CRC-16 as XMODEM has it, the low octet first."""
    return binascii.crc_hqx(data, 0).to_bytes(2, "little")
