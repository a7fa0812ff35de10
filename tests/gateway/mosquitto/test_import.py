"""The word import_mosquitto: what becomes of users and permissions, and that it is all or nothing."""

from __future__ import annotations

import json

import pytest

from tests.gateway.control.control_target import Asker
from tests.gateway.mosquitto.test_files import PBKDF2, SHA
from warren.core.errors import AccessRefused
from warren.gateway.control import exit_codes as codes

PASSWORDS = f"alice:$7${PBKDF2}\nbob:$6${SHA}\n"
ACL = "topic news\nuser alice\ntopic read a/#\ntopic write b\nuser carol\ntopic #\n"


@pytest.fixture
async def warren() -> Asker:
    return Asker()


def files(*texts: str) -> bytes:
    return json.dumps(texts).encode()


async def test_users_and_what_they_may(warren: Asker) -> None:
    text = await warren.do("import_mosquitto", "passwd", "acl", content=files(PASSWORDS, ACL))
    assert text.splitlines() == [
        "Imported users: 2, permissions: 2, topic permissions: 2",
        "Note: the user 'carol' of the ACL file isn't in the password file, and was left out",
        "Note: what the ACL file allows clients without a name was left out: give topic permissions to the user that "
        "mqtt_default_user names",
    ]
    users = warren.server.broker.users
    assert users.authenticate("alice", "häse", is_loopback=False).tags == frozenset()
    assert users.authenticate("bob", "swordfish", is_loopback=False)
    users.check_topic("alice", "/", "amq.topic", "a.b", "read", {})
    for user, key, verb in (("alice", "a.b", "write"), ("alice", "b", "read"), ("bob", "a.b", "read")):
        with pytest.raises(AccessRefused):
            users.check_topic(user, "/", "amq.topic", key, verb, {})  # type: ignore[arg-type]
    for kind, name, verb, may in (
        ("exchange", "amq.topic", "write", True),
        ("queue", "mqtt-subscription-x", "configure", True),
        ("exchange", "amq.direct", "write", False),
        ("exchange", "amq.topic.x", "read", False),
        ("exchange", "amq.topic", "configure", False),
        ("queue", "orders", "read", False),
    ):
        try:
            users.check("alice", "/", kind, name, verb)  # type: ignore[arg-type]
        except AccessRefused:
            assert not may, name
        else:
            assert may, name


async def test_without_an_acl_file_all_topics_are_allowed(warren: Asker) -> None:
    await warren.do("import_mosquitto", "passwd", content=files(PASSWORDS))
    warren.server.broker.users.check_topic("bob", "/", "amq.topic", "any.thing", "write", {})


async def test_who_is_there_already_is_replaced(warren: Asker) -> None:
    users = warren.server.broker.users
    users.add_user("alice", "old", ["administrator"])
    await warren.do("import_mosquitto", "passwd", content=files(PASSWORDS))
    assert users.authenticate("alice", "häse", is_loopback=True).tags == frozenset()


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([PASSWORDS + "mallory:plain\n"], "nothing was imported: line 3 of the password file"),
        ([PASSWORDS, "user alice\ntopic deny x\n"], "nothing was imported: line 2 of the ACL file"),
        ([PASSWORDS.replace("bob", "(broker)")], "nothing was imported: "),
    ],
)
async def test_all_or_nothing(warren: Asker, texts: list[str], said: str) -> None:
    answer = await warren.ask("import_mosquitto", *["file"] * len(texts), content=files(*texts))
    assert said in str(answer["error"])
    assert "alice" not in warren.server.broker.users


async def test_requests_without_files(warren: Asker) -> None:
    for content in (None, b"", b"{}", b"[]", b"[1]"):
        answer = await warren.ask("import_mosquitto", "passwd", content=content)
        assert answer["exit_code"] == codes.USAGE
    answer = await warren.ask("import_mosquitto", "passwd", vhost="missing", content=files(PASSWORDS))
    assert "missing" in str(answer["error"])


async def test_users_survive_definitions(warren: Asker) -> None:
    """Exported and imported elsewhere, a hash of Mosquitto's is still one."""
    await warren.do("import_mosquitto", "passwd", "acl", content=files(PASSWORDS, ACL))
    exported = await warren.ask("export_definitions", "-")
    other = Asker()
    await other.do("import_definitions", content=json.dumps(exported["value"]).encode())
    assert other.server.broker.users.authenticate("bob", "swordfish", is_loopback=True)
