"""Nobody finds out which names exist by how long a refusal takes: the same is done for each.

What is compared is what is called, since times can't be compared in a test.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import pytest

from warren.adapters.mqtt.errors import Refusal
from warren.adapters.mqtt.scram import ScramSha256
from warren.core.access.accounts import LoginRefused
from warren.core.access.users import Users


def called(what: Callable[[], object]) -> list[str]:
    """The functions that are called, those in C too, in order."""
    names: list[str] = []

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            names.append(frame.f_code.co_qualname)
        elif event == "c_call":
            names.append(getattr(argument, "__qualname__", repr(argument)))

    sys.setprofile(note)
    try:
        what()
    finally:
        sys.setprofile(None)
    return names[:-1]


@pytest.fixture
def known(users: Users) -> Users:
    """With somebody who has a password, and somebody who has none."""
    users.add_user("alice", "secret")
    users.add_user("bob", "secret")
    users.clear_password("bob")
    return users


def refused(users: Users, name: str, password: str) -> Callable[[], object]:
    """A login that must be refused."""

    def log_in() -> None:
        with pytest.raises(LoginRefused):
            users.authenticate(name, password, is_loopback=True)

    return log_in


@pytest.mark.parametrize("password", ["wrong", "", "ä", "\udcff"])
def test_a_password_is_hashed_whoever_it_is_for(known: Users, password: str) -> None:
    refused(known, "alice", password)()
    expected = called(refused(known, "alice", password))
    assert ("openssl_sha256" in expected) == bool(password)
    assert called(refused(known, "nobody", password)) == expected
    assert called(refused(known, "bob", password)) == expected


def test_who_has_no_password_cannot_log_in_with_any(known: Users) -> None:
    for password in ("", "secret", "\0" * 32):
        refused(known, "bob", password)()


def test_scram_makes_as_much_of_a_name_that_is_not_there(known: Users) -> None:
    def begin(name: str) -> Callable[[], object]:
        def run() -> None:
            ScramSha256(known).answer(f"n,,n={name},r=abc".encode())

        return run

    begin("alice")()
    assert called(begin("nobody")) == called(begin("alice"))


def test_scram_refuses_it_all_the_same(known: Users) -> None:
    method = ScramSha256(known)
    method.answer(b"n,,n=nobody,r=abc")
    with pytest.raises(Refusal):
        method.answer(b"c=biws,r=abc,p=AAAA")
