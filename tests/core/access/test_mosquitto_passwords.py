"""Hashes of Mosquitto's password files, made by mosquitto_passwd 2.0 and, with other numbers, here with hashlib."""

from __future__ import annotations

import base64
import hashlib

import pytest

from warren.core.access import passwords
from warren.core.access.accounts import LoginRefused
from warren.core.access.mosquitto_passwords import ITERATIONS_MAX, PBKDF2_SHA512, SALTED_SHA512
from warren.core.access.users import User, Users
from warren.core.errors import PreconditionFailed
from warren.core.storage.definitions.memory import MemoryDefinitionStore

MADE_BY_MOSQUITTO = {
    PBKDF2_SHA512: (
        "häse",
        "101$JU/AXOCEslvqb8/r$7FixGDoBxo58hFPFrpM1yo4UqA/mH6BrikevNbb0q44kFEDSCAbjwmRN4avQeRZGPj6wmpRy5Ts+XES41ZxpDg==",
    ),
    SALTED_SHA512: (
        "swordfish",
        "BjPDZqFxNmho/Exk$IFOZe/7k0D0KrIar1cQG40HB9SVirv7yX1St9M8WjQQCrxEGKrRKGSG9t6DfEDz2MdwEW0IznVw0OQPuq7Btcw==",
    ),
}


def pbkdf2(password: bytes, iterations: int) -> str:
    salt = b"twelve bytes"
    digest = hashlib.pbkdf2_hmac("sha512", password, salt, iterations)
    return f"{iterations}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


@pytest.mark.parametrize("algorithm", MADE_BY_MOSQUITTO)
def test_made_by_mosquitto(algorithm: str) -> None:
    password, stored = MADE_BY_MOSQUITTO[algorithm]
    assert passwords.check_hash(stored, algorithm) == stored
    assert passwords.verify(password, stored, algorithm)
    assert not passwords.verify(password + "x", stored, algorithm)
    assert not passwords.verify("", stored, algorithm)
    others = {*MADE_BY_MOSQUITTO, passwords.SHA256, passwords.SHA512} - {algorithm}
    assert not any(passwords.verify(password, stored, other) for other in others)


WRONG = {
    "nothing between": (SALTED_SHA512, "abc"),
    "no iterations": (PBKDF2_SHA512, MADE_BY_MOSQUITTO[SALTED_SHA512][1]),
    "iterations in words": (PBKDF2_SHA512, "many" + MADE_BY_MOSQUITTO[PBKDF2_SHA512][1][3:]),
    "0 iterations": (PBKDF2_SHA512, "0" + MADE_BY_MOSQUITTO[PBKDF2_SHA512][1][3:]),
    "iterations in other digits": (PBKDF2_SHA512, "\u0661" + MADE_BY_MOSQUITTO[PBKDF2_SHA512][1][3:]),
    "too many iterations": (PBKDF2_SHA512, f"{ITERATIONS_MAX + 1}" + MADE_BY_MOSQUITTO[PBKDF2_SHA512][1][3:]),
    "no base64": (SALTED_SHA512, "BjPDZqFxNmho/Exk$?"),
    "a short digest": (SALTED_SHA512, "BjPDZqFxNmho/Exk$AAAA"),
}


@pytest.mark.parametrize(("algorithm", "stored"), WRONG.values(), ids=WRONG.keys())
def test_what_is_no_hash(algorithm: str, stored: str) -> None:
    with pytest.raises(PreconditionFailed):
        passwords.check_hash(stored, algorithm)
    assert not passwords.verify("swordfish", stored, algorithm)


def test_the_most_iterations_are_possible() -> None:
    stored = pbkdf2(b"p", ITERATIONS_MAX)
    assert passwords.check_hash(stored, PBKDF2_SHA512)
    assert passwords.verify("p", stored, PBKDF2_SHA512)


def test_nothing_is_hashed_anew_like_that() -> None:
    with pytest.raises(PreconditionFailed, match="hashed anew"):
        passwords.hash_password("p", bytes(passwords.SALT_BYTES), PBKDF2_SHA512)


@pytest.fixture
def users() -> Users:
    users = Users(MemoryDefinitionStore())
    users.add_user("ours", "p")
    users.put_user(User("theirs", pbkdf2(b"p", 300), PBKDF2_SHA512, frozenset()))
    users.put_user(User("sha", MADE_BY_MOSQUITTO[SALTED_SHA512][1], SALTED_SHA512, frozenset()))
    users.put_user(User("locked", "", PBKDF2_SHA512, frozenset()))
    return users


def test_logins(users: Users) -> None:
    assert users.authenticate("theirs", "p", is_loopback=True).name == "theirs"
    assert users.authenticate("sha", "swordfish", is_loopback=True).name == "sha"
    for name in ("theirs", "sha", "locked", "nobody"):
        with pytest.raises(LoginRefused):
            users.authenticate(name, "q", is_loopback=True)


def test_another_password_is_hashed_as_ours(users: Users) -> None:
    users.change_password("theirs", "new")
    assert users["theirs"].hashing_algorithm == passwords.DEFAULT_ALGORITHM
    assert users.authenticate("theirs", "new", is_loopback=True)


@pytest.mark.parametrize("name", ["ours", "theirs", "sha", "locked", "nobody"])
def test_who_is_refused_can_not_be_told_by_the_time_it_takes(
    users: Users, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many iterations for every name, as long as there is one who needs them."""
    counted: list[int] = []
    real = hashlib.pbkdf2_hmac

    def counting(name: str, password: bytes, salt: bytes, iterations: int) -> bytes:
        counted.append(iterations)
        return real(name, password, salt, iterations)

    monkeypatch.setattr(hashlib, "pbkdf2_hmac", counting)
    with pytest.raises(LoginRefused):
        users.authenticate(name, "q", is_loopback=True)
    assert counted == [300]
    users.delete_user("theirs")
    counted.clear()
    with pytest.raises(LoginRefused):
        users.authenticate(name, "q", is_loopback=True)
    assert counted == []
