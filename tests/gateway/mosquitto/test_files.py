"""Mosquitto's files, line by line, and what is wrong with them."""

from __future__ import annotations

import pytest

from warren.core.access.mosquitto_passwords import PBKDF2_SHA512, SALTED_SHA512
from warren.gateway.mosquitto.acl_file import read_acl
from warren.gateway.mosquitto.errors import MosquittoFileError
from warren.gateway.mosquitto.password_file import read_passwords

PBKDF2 = "101$JU/AXOCEslvqb8/r$7FixGDoBxo58hFPFrpM1yo4UqA/mH6BrikevNbb0q44kFEDSCAbjwmRN4avQeRZGPj6wmpRy5Ts+XES41ZxpDg=="
SHA = "BjPDZqFxNmho/Exk$IFOZe/7k0D0KrIar1cQG40HB9SVirv7yX1St9M8WjQQCrxEGKrRKGSG9t6DfEDz2MdwEW0IznVw0OQPuq7Btcw=="


def test_passwords() -> None:
    found = read_passwords(f"# users\n\nalice:$7${PBKDF2}\r\nb o b:$6${SHA}\n")
    assert [tuple(each) for each in found] == [("alice", PBKDF2, PBKDF2_SHA512), ("b o b", SHA, SALTED_SHA512)]


WRONG_PASSWORDS = {
    "alice": "line 2 of the password file: it isn't of the form NAME:HASH",
    ":x": "it isn't of the form NAME:HASH",
    "alice:secret": "isn't hashed; run 'mosquitto_passwd -U FILE' first",
    "alice:$argon2id$v=19": "is hashed by \\$argon2id\\$, which Warren doesn't know",
    "alice:$7$5$x": "'alice': the password hash isn't of the form",
    f"alice:$7$99999{PBKDF2}": "99999101 iterations",
    f"root:$7${PBKDF2}": "the user 'root' is there already",
}


@pytest.mark.parametrize(("line", "said"), WRONG_PASSWORDS.items())
def test_wrong_passwords(line: str, said: str) -> None:
    with pytest.raises(MosquittoFileError, match=said):
        read_passwords(f"root:$7${PBKDF2}\n{line}\n")


ACL = """\
# for clients without a name
topic read news/#

user alice
topic a/b
topic read a b/c
topic  write  out/+

user b o b
topic readwrite #
user alice
topic read more
pattern write state/%c/#
pattern read %u
"""


def test_access() -> None:
    found = read_acl(ACL)
    assert (found.anonymous.read, found.anonymous.write) == (["news/#"], [])
    assert list(found.users) == ["alice", "b o b"]
    alice, bob = found.users.values()
    assert alice.read == ["a/b", "a b/c", "more"]
    assert alice.write == ["a/b", "out/+"]
    assert (bob.read, bob.write) == (["#"], ["#"])
    assert (found.patterns.read, found.patterns.write) == (["%u"], ["state/%c/#"])


WRONG_ACCESS = {
    "topics a": "line 2 of the ACL file: 'topics' isn't one of user, topic and pattern",
    "user": "'user' has nothing behind it",
    "topic": "'topic' has nothing behind it",
    "topic deny secret/#": "'deny secret/#' can't be taken over",
    "topic read a#": "'#' in the topic filter 'a#' is not a word of its own",
    "pattern read a+/b": "is not a word of its own",
}


@pytest.mark.parametrize(("line", "said"), WRONG_ACCESS.items())
def test_wrong_access(line: str, said: str) -> None:
    with pytest.raises(MosquittoFileError, match=said):
        read_acl(f"user root\n{line}\n")


def test_read_alone_is_a_topic() -> None:
    assert read_acl("topic read").anonymous.write == ["read"]
