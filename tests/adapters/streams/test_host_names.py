"""By which names a broker may be asked over HTTP on loopback addresses (against DNS rebinding)."""

from __future__ import annotations

import pytest

from warren.adapters.streams.host_names import name_in, stranger


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost:15672", "LocalHost", "localhost.", "warren.localhost:80"),
        *("127.0.0.1", "127.0.0.1:15672", "127.1.2.3", "[::1]", "[::1]:15672", "192.0.2.7:80", "[2001:db8::1]"),
        "my-machine",
        "My-Machine:15672",
        None,
    ],
)
def test_names_of_this_machine(host: str | None) -> None:
    assert stranger(host, "127.0.0.1", {"my-machine"}) is None
    assert stranger(host, "::1", {"my-machine"}) is None


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("evil.example", "evil.example"),
        ("evil.example:15672", "evil.example"),
        ("EVIL.example.:15672", "evil.example"),
        ("localhost.evil.example", "localhost.evil.example"),
        ("127.0.0.1.evil.example", "127.0.0.1.evil.example"),
        ("notlocalhost", "notlocalhost"),
        ("", ""),
        ("[evil.example]", "evil.example"),
        ("localhost@evil.example", "localhost@evil.example"),
        ("2130706433", "2130706433"),
        ("0x7f.1", "0x7f.1"),
    ],
)
def test_names_of_others(host: str, name: str) -> None:
    assert name_in(host) == name
    for local_host in ("127.0.0.1", "127.0.1.1", "::1", "::ffff:127.0.0.1"):
        assert stranger(host, local_host, ()) == name
    assert stranger(host, "192.0.2.1", ()) is None, "who may come there is the network's matter"
    assert stranger(host, "127.0.0.1", (), is_tls=True) is None, "the certificate says whose name it is"
    assert stranger(host, "127.0.0.1", {"*"}) is None


def test_names_that_the_configuration_has() -> None:
    names = {"Broker.example"}
    assert stranger("broker.EXAMPLE:80", "127.0.0.1", names) is None
    assert stranger("localhost", "127.0.0.1", names) is None
    assert stranger("other.example", "127.0.0.1", names) == "other.example"
