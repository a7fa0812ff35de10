"""What is secret is nowhere to be read: secrets are sown wherever one is taken, and looked for in all that is said.

What is left out is what somebody asks for by name and may only ask for as an administrator or policymaker: exported
definitions and runtime parameters, which are of no use without the passwords in their URIs.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.child import ChildError
from tests.support.ctl import ctl
from tests.support.simulated_client import handshake_bytes
from tests.support.until import until
from tests.support.warren_process import WarrenProcess, start_warren
from warren.adapters.mqtt.codec import encode as mqtt_encode
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.packets import Connect

SECRET = "sown-{}-Zq7"
"""Each place has its own, so that what is found says where it came from."""

LISTEN = ("amqp=127.0.0.1:0", "mqtt=127.0.0.1:0", "stomp=127.0.0.1:0", "http=127.0.0.1:0", "metrics=127.0.0.1:0")

WORDS = (
    ("status",),
    ("environment",),
    ("report",),
    ("list_users",),
    ("list_connections", "name", "user", "client_properties"),
    ("list_plugins",),
    ("shovel_status",),
    ("federation_status",),
    ("list_limit_hits",),
    ("doctor",),
    ("list_vhosts",),
)

PATHS = (
    "/api/overview",
    "/api/nodes",
    "/api/config/effective",
    "/api/shovels",
    "/api/federation-links",
    "/api/connections",
    "/api/users",
    "/api/plugins",
    "/api/auth",
    "/api/whoami",
    "/api/nothing",
)


def _token() -> str:
    """A token of OAuth 2 that nobody has signed."""
    parts = ({"alg": "RS256", "typ": "JWT"}, {"sub": "ada", "scope": "Zq7"})
    return ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts), "Zq7"]
    )


TOKEN = _token()


def sown(place: str) -> str:
    return SECRET.format(place)


DESTINATIONS = {
    "amqp10": {"dest-uri": f"amqp://someone:{sown('amqp10')}@127.0.0.1:1", "dest-address": "/queues/b"},
    "mqtt": {"dest-uri": f"mqtt://someone:{sown('mqtt')}@127.0.0.1:1", "dest-topic": "b"},
    "stomp": {"dest-uri": f"stomp://someone:{sown('stomp')}@127.0.0.1:1", "dest-destination": "/queue/b"},
    "kafka": {"dest-uri": f"kafka://someone:{sown('kafka')}@127.0.0.1:1", "dest-topic": "b"},
    "http": {"dest-uri": "http://127.0.0.1:1/b", "dest-bearer-token": sown("bearer")},
}
"""Shovels to what isn't there, and so has something to say of them."""

CONFIG = f"""
default_user = "admin"
default_pass = "{sown("default-pass")}"
mqtt_default_user = "somebody"
mqtt_default_pass = "{sown("mqtt-pass")}"
stomp_default_user = "somebody"
stomp_default_pass = "{sown("stomp-pass")}"
tls_key_password = "{sown("tls-key")}"
plugins = ["management", "metrics", "shovel", "federation"]
refused_login_delay_s = 0
"""


@pytest.fixture
def warren(tmp_path: Path) -> Iterator[WarrenProcess]:
    config = tmp_path / "warren.toml"
    config.write_text(CONFIG)
    config.chmod(0o600)
    data = tmp_path / "data"
    options = ["--config", str(config), "--set", "log_level=debug"]
    broker = start_warren(tmp_path, data_directory=data, listen=LISTEN, options=options)
    try:
        yield broker
    finally:
        broker.stop()


def sow(warren: WarrenProcess) -> None:
    """Where secrets come in while it runs."""
    data = warren.data_directory
    ctl(data, "add_user", "ada", sown("user"))
    for scheme, name in (("amqp", "shovel"), ("amqp", "shovel2")):
        uri = f"{scheme}://someone:{sown(name)}@127.0.0.1:1"
        value = {"src-uri": uri, "src-queue": "a", "dest-uri": uri, "dest-queue": "b", "reconnect-delay": 1}
        ctl(data, "set_parameter", "shovel", name, json.dumps(value))
    for protocol, keys in DESTINATIONS.items():
        value = {"src-uri": "amqp://", "src-queue": "a", "dest-protocol": protocol, "reconnect-delay": 1, **keys}
        ctl(data, "set_parameter", "shovel", protocol, json.dumps(value))
    upstream = {"uri": f"amqp://someone:{sown('upstream')}@127.0.0.1:1", "reconnect-delay": 1}
    ctl(data, "set_parameter", "federation-upstream", "up", json.dumps(upstream))
    ctl(data, "set_policy", "fed", "^fed", '{"federation-upstream-set": "all"}')
    api(warren, "PUT", "/api/exchanges/%2F/fed", body=b'{"type": "fanout"}')


def login(password: str) -> str:
    return "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()


def api(
    warren: WarrenProcess, method: str, path: str, *, password: str = "", body: bytes = b"", authorization: str = ""
) -> bytes:
    connection = http.client.HTTPConnection(*warren.addresses["http"], timeout=30)
    try:
        headers = {"Authorization": authorization or login(password or sown("default-pass"))}
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        return str(answer.getheaders()).encode() + answer.read()
    finally:
        connection.close()


def said_to(address: tuple[str, int], data: bytes) -> bytes:
    """All that is answered until the broker closes."""
    with socket.create_connection(address, 30) as peer:
        peer.settimeout(30)
        peer.sendall(data)
        found = b""
        while True:
            try:
                piece = peer.recv(65536)
            except ConnectionError:
                return found
            if not piece:
                return found
            found += piece


def test_nothing_sown_comes_up(warren: WarrenProcess) -> None:
    sow(warren)
    said: dict[str, bytes] = {}
    wrong = sown("wrong")
    said["STOMP"] = said_to(
        warren.addresses["stomp"], f"CONNECT\naccept-version:1.2\nlogin:ada\npasscode:{wrong}\n\n\0".encode()
    )
    connect = Connect("c", versions.V5, True, 0, None, "ada", wrong.encode(), False, {})
    said["MQTT"] = said_to(warren.addresses["mqtt"], mqtt_encode.encode(connect, versions.V5))
    said["AMQP 1.0"] = said_to(warren.addresses["amqp"], b"AMQP\3\1\0\0" + wrong.encode() * 20)
    said["AMQP, a token"] = said_to(warren.addresses["amqp"], handshake_bytes(user="", password=TOKEN))
    said["HTTP, a token"] = api(warren, "GET", "/api/overview", authorization=f"Bearer {TOKEN}")
    said["HTTP, wrong"] = api(warren, "GET", "/api/overview", password=wrong)

    until(lambda: _has_tried(warren, "shovel_status") and _has_tried(warren, "federation_status"), time.sleep)
    for words in WORDS:
        said[" ".join(words)] = ctl(warren.data_directory, *words).encode()
    for path in PATHS:
        said[path] = api(warren, "GET", path)
    connection = http.client.HTTPConnection(*warren.addresses["metrics"], timeout=30)
    connection.request("GET", "/metrics")
    said["/metrics"] = connection.getresponse().read()
    connection.close()
    pid = warren.process.pid
    if Path("/proc/self/cmdline").exists():
        said["the process's title"] = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/comm").read_bytes()
    warren.stop()
    said["the log"] = warren.log.read_bytes()
    assert b"somebody" in said["environment"], "the configuration is shown, but for what is secret"
    found = {where: text for where, text in said.items() if b"Zq7" in text or base64.b64encode(b"Zq7") in text}
    assert {where: _around(text) for where, text in found.items()} == {}


def _has_tried(warren: WarrenProcess, word: str) -> bool:
    """The links that were sown have failed to connect, which is what they have to tell of."""
    return "127.0.0.1:1" in ctl(warren.data_directory, word) + warren.log.read_text()


def _around(text: bytes) -> str:
    at = text.find(b"Zq7")
    return text[max(at - 120, 0) : at + 10].decode(errors="replace")


WRONG = {
    "auth_http_user_path": (f"http://asker:{sown('auth')}@127.0.0.1:1/user", "'http://...@127.0.0.1:1/user': must be"),
    "cluster": (f"nats://node:{sown('nats')}@127.0.0.1:no", "'...': must be 'nats://...@127.0.0.1:no' is no"),
}


@pytest.mark.parametrize("key", WRONG)
def test_what_is_wrong_with_an_address_is_said_without_its_password(tmp_path: Path, key: str) -> None:
    value, words = WRONG[key]
    config = tmp_path / "warren.toml"
    config.write_text(f'{key} = "{value}"\n')
    with pytest.raises(ChildError) as failed:
        start_warren(tmp_path, data_directory=None, listen=LISTEN[:1], options=["--config", str(config)])
    assert f"{key} = {words}" in str(failed.value)
    assert "Zq7" not in str(failed.value)


def test_files_are_the_owners_whatever_the_umask(tmp_path: Path) -> None:
    """Also those that are made later: segments, the write-ahead log of the definitions, a stream, a backup."""
    data, copy = tmp_path / "data", tmp_path / "backup"
    before = os.umask(0)
    try:
        broker = start_warren(tmp_path, data_directory=data, listen=("amqp=127.0.0.1:0", "stomp=127.0.0.1:0"))
    finally:
        os.umask(before)
    try:
        frame = "SEND\ndestination:/queue/q\npersistent:true\nreceipt:{}\n\n" + "m" * 2000 + "\0"
        headers = ("x-queue-type:stream", "durable:true", "auto-delete:false", "ack:client", "prefetch-count:5")
        stream = "\n".join(["SUBSCRIBE", "destination:/queue/s", "id:1", *headers, "receipt:s", "", "\0"])
        frames = "".join(frame.format(number) for number in range(200))
        said = said_to(
            broker.addresses["stomp"],
            f"CONNECT\naccept-version:1.2\nlogin:guest\npasscode:guest\n\n\0{frames}{stream}"
            "DISCONNECT\nreceipt:end\n\n\0".encode(),
        )
        assert b"receipt-id:199" in said
        ctl(data, "add_user", "ada", "secret")
        ctl(data, "backup_store", str(copy))
        for root in (data, copy):
            paths = [root, *root.rglob("*")]
            assert len(paths) > 4
            open_to_others = [path for path in paths if path.lstat().st_mode & 0o077]
            assert open_to_others == []
    finally:
        broker.stop()
