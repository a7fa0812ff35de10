"""Password hashes: RabbitMQ's format, byte by byte, made here with hashlib independently of our code."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.access.passwords import MD5, SHA256, SHA512, check_algorithm, check_hash, hash_password, verify
from warren.core.errors import PreconditionFailed

SALT = bytes.fromhex("908dc60a")

# The worked example of RabbitMQ's documentation (rabbitmq.com/docs/passwords).
DOCUMENTED_HASH = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"

# Made by RabbitMQ 3.10 from "häse", with salts of its own.
MADE_BY_RABBITMQ = {
    SHA256: "PEhL3w3uQ+XZOFUrML6xqJSVJZt2PFPy7teeI0yABePY1na8",
    SHA512: ("HVb9/WmY0XpHUi6CDcdvfn/8M5rkdfK4bxBNw2mYpOc3yfYwG2VzvFJV29O7lIqqMS0AGwZyLvLcRZyJNS/EM5OQVpc="),
    MD5: "lL0xMXaglDFQRy8l6iuhVMqGD6c=",
}

DIGEST_BYTES = {SHA256: 32, SHA512: 64, MD5: 16}


def expected_hash(password: bytes, salt: bytes, algorithm: str) -> str:
    name = {SHA256: "sha256", SHA512: "sha512", MD5: "md5"}[algorithm]
    digest = hashlib.new(name, salt + password, usedforsecurity=False).digest()
    return base64.b64encode(salt + digest).decode()


def test_the_documented_example() -> None:
    assert hash_password("test12", SALT) == DOCUMENTED_HASH
    assert verify("test12", DOCUMENTED_HASH, SHA256)
    assert not verify("test13", DOCUMENTED_HASH, SHA256)


@pytest.mark.parametrize("algorithm", [SHA256, SHA512, MD5])
def test_hashes_made_by_rabbitmq(algorithm: str) -> None:
    assert verify("häse", MADE_BY_RABBITMQ[algorithm], algorithm)
    assert not verify("hase", MADE_BY_RABBITMQ[algorithm], algorithm)


@pytest.mark.parametrize("algorithm", [SHA256, SHA512, MD5])
@pytest.mark.parametrize("password", ["guest", "häse 🐇", " ", "x" * 10_000, "a\0b"])
def test_each_algorithm(algorithm: str, password: str) -> None:
    stored = hash_password(password, SALT, algorithm)
    assert stored == expected_hash(password.encode(), SALT, algorithm)
    assert len(base64.b64decode(stored)) == 4 + DIGEST_BYTES[algorithm]
    assert verify(password, stored, algorithm)
    assert not verify(password + "x", stored, algorithm)


@pytest.mark.parametrize("algorithm", [SHA512, MD5, "rabbit_password_hashing_unknown", ""])
def test_a_hash_is_of_no_use_under_another_algorithm(algorithm: str) -> None:
    assert not verify("test12", DOCUMENTED_HASH, algorithm)


def test_a_password_of_any_bytes_hashes_as_those_bytes() -> None:
    password = b"caf\xe9"
    stored = expected_hash(password, SALT, SHA256)
    assert hash_password(password.decode("utf-8", "surrogateescape"), SALT) == stored
    assert verify(password.decode("utf-8", "surrogateescape"), stored, SHA256)


@pytest.mark.parametrize("algorithm", [SHA256, SHA512, MD5])
def test_a_blank_password_is_refused_even_if_its_hash_is_stored(algorithm: str) -> None:
    assert not verify("", expected_hash(b"", SALT, algorithm), algorithm)
    with pytest.raises(PreconditionFailed, match="blank"):
        hash_password("", SALT, algorithm)


@pytest.mark.parametrize("stored", ["", "====", "not base64!", "kI3GCg==", "kI3G", "é", DOCUMENTED_HASH[:-4], "\n"])
def test_a_malformed_stored_hash_matches_nothing(stored: str) -> None:
    assert not verify("test12", stored, SHA256)


def test_a_password_that_utf_8_cannot_express_matches_nothing() -> None:
    assert not verify("\ud800", DOCUMENTED_HASH, SHA256)
    with pytest.raises(PreconditionFailed, match="UTF-8"):
        hash_password("\ud800", SALT)


def test_the_salt_has_four_bytes() -> None:
    with pytest.raises(ValueError, match="4 bytes"):
        hash_password("test12", b"12345")


def test_what_may_be_stored() -> None:
    assert check_hash(DOCUMENTED_HASH) == DOCUMENTED_HASH
    assert check_hash("") == ""
    for wrong in ("not base64!", "kI3GCg==", "é"):
        with pytest.raises(PreconditionFailed, match="password hash"):
            check_hash(wrong)
    assert check_algorithm(SHA512) == SHA512
    with pytest.raises(PreconditionFailed, match="'rot13'; known are rabbit_password_hashing_sha256"):
        check_algorithm("rot13")


@given(st.text(max_size=30), st.binary(min_size=4, max_size=4), st.sampled_from([SHA256, SHA512, MD5]), st.text())
def test_verify_never_fails_and_agrees_with_hash_password(
    password: str, salt: bytes, algorithm: str, other: str
) -> None:
    if not password:
        return
    stored = hash_password(password, salt, algorithm)
    assert verify(password, stored, algorithm)
    assert verify(other, stored, algorithm) == (other == password)
    assert not verify(password, other, algorithm)
