"""A Mosquitto and a Warren with the same users: who gets in, and what they may publish and read, is the same."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.interop.clients import need, run
from tests.support.ctl import ctl
from tests.support.mosquitto import mosquitto, mosquitto_path
from tests.support.warren_process import WarrenProcess, warren_process
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.decode import decode
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import ConnAck, Connect, Packet, PubAck, Publish, Subscribe, Subscription

TIME_LIMIT_S = 20.0
BAD_PASSWORD = 0x86
NOT_AUTHORIZED = 0x87
PASSWORDS = {"admin": "a", "alice": "häse", "bob": "swordfish", "carol": "c"}
ACL = """\
user admin
topic #
user alice
topic read plant/+/state
topic write plant/7/set
topic readwrite own/#
topic read $SYS/x
user bob
topic read #
topic write +/bob
pattern read sync/%u
pattern readwrite client/%c/x
"""
TOPICS = [
    "plant/7/state",
    "plant/7/8/state",
    "plant/7/set",
    "plant/state",
    "own",
    "own/a/b",
    "owner",
    "other",
    "x/bob",
    "x/y/bob",
    "/bob",
    "a.b/c",
    "client/alice-reads/x",
    "client/bob-publishes/x",
    "client/carol-reads/x",
    "sync/bob",
]


class Client:
    """One connection; packets are read as they come."""

    def __init__(self, port: int, client_id: str, user: str, password: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), TIME_LIMIT_S)
        self._data = b""
        self.send(Connect(client_id, versions.V5, True, 60, None, user, password.encode()))
        answer = self.next()
        assert isinstance(answer, ConnAck)
        self.reason_code = answer.reason_code

    def send(self, *packets: Packet) -> None:
        self.socket.sendall(b"".join(encode(packet, versions.V5) for packet in packets))

    def next(self) -> Packet:
        """The next packet."""
        while (found := decode(self._data, 0, len(self._data), versions.V5)) is None:
            received = self.socket.recv(65536)
            assert received, "closed"
            self._data += received
        self._data = self._data[found[1] :]
        return found[0]

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()


def may_publish(port: int, user: str, topic: str) -> bool:
    """Whether a message of the user's to the topic is taken."""
    with Client(port, f"{user}-publishes", user, PASSWORDS[user]) as client:
        client.send(Publish(topic, b"x", 1, 1))
        answer = client.next()
    assert isinstance(answer, PubAck)
    return answer.reason_code != NOT_AUTHORIZED


def may_read(port: int, user: str, topic: str) -> bool:
    """Whether the user gets what comes to the topic, having subscribed to it."""
    sync = f"sync/{user}"
    came: list[str] = []
    with (
        Client(port, f"{user}-reads", user, PASSWORDS[user]) as reader,
        Client(port, "admin", "admin", PASSWORDS["admin"]) as admin,
    ):
        for number, each in enumerate(dict.fromkeys((sync, topic)), 1):
            reader.send(Subscribe(number, (Subscription(each, 0),)))
            reader.next()
        for number, each in enumerate((topic, sync), 1):
            admin.send(Publish(each, b"x", 1, number))
            admin.next()
        while not came or came[-1] != sync:
            packet = reader.next()
            assert isinstance(packet, Publish)
            came.append(packet.topic)
    return topic in came


def _warren() -> AbstractContextManager[WarrenProcess]:
    return warren_process(listen=("mqtt=127.0.0.1:0",), options=("--set", "refused_login_delay_s=0"))


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """Of a Mosquitto, and of a Warren that took over its users."""
    need(shutil.which("mosquitto_passwd") is not None and mosquitto_path() is not None, "mosquitto")
    directory: Path = tmp_path_factory.mktemp("mosquitto")
    passwords, acl = directory / "passwd", directory / "acl"
    passwords.touch(0o600)
    for user, password in PASSWORDS.items():
        run(["mosquitto_passwd", "-b", str(passwords), user, password])
    acl.write_text(ACL)
    acl.chmod(0o600)
    lines = ["allow_anonymous false", f"password_file {passwords}", f"acl_file {acl}"]
    with mosquitto(directory, lines) as theirs, _warren() as warren:
        said = ctl(warren.data_directory, "import_mosquitto", str(passwords), str(acl))
        assert "Imported users: 4, permissions: 4, topic permissions: 4" in said
        yield theirs.port, warren.addresses["mqtt"][1]


@pytest.mark.parametrize("user", PASSWORDS)
def test_logins(ports: tuple[int, int], user: str) -> None:
    for port in ports:
        with Client(port, "c", user, PASSWORDS[user]) as client:
            assert client.reason_code == 0
        with Client(port, "c", user, PASSWORDS[user] + "x") as client:
            assert client.reason_code in (BAD_PASSWORD, NOT_AUTHORIZED)


@pytest.mark.parametrize("user", ["alice", "bob", "carol"])
def test_topics(ports: tuple[int, int], user: str) -> None:
    theirs, ours = ports
    expected = {topic: (may_publish(theirs, user, topic), may_read(theirs, user, topic)) for topic in TOPICS}
    found = {topic: (may_publish(ours, user, topic), may_read(ours, user, topic)) for topic in TOPICS}
    assert found == expected
    assert any(read for _, read in expected.values())
    assert not all(read for _, read in expected.values()) or user == "bob"
