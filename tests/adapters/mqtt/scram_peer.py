"""A client's side of SCRAM-SHA-256 (RFC 5802), sharing nothing with the broker's."""

from __future__ import annotations

import base64
import hashlib
import hmac

METHOD = "SCRAM-SHA-256"


def first(user: str = "guest", nonce: str = "abc") -> bytes:
    """The client's first message."""
    return f"n,,n={user},r={nonce}".encode()


def final(challenge: bytes, password: bytes = b"guest", user: str = "guest", nonce: str = "abc") -> bytes:
    """The client's final message, with its proof."""
    fields = dict(part.split("=", 1) for part in challenge.decode().split(","))
    assert fields["r"].startswith(nonce)
    salted = hashlib.pbkdf2_hmac("sha256", password, base64.b64decode(fields["s"]), int(fields["i"]))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    bare = f"c=biws,r={fields['r']}"
    message = f"n={user},r={nonce},{challenge.decode()},{bare}".encode()
    signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    return f"{bare},p={base64.b64encode(proof).decode()}".encode()
