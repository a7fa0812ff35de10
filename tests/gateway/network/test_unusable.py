"""Addresses that can't be had: what is told of each fits what the system says, and what is offered can be had."""

from __future__ import annotations

import errno
import os
import socket
import sys
from pathlib import Path

import pytest

from tests.support.ports import free_ports
from warren.core.errors import StorageError
from warren.gateway.embedding import open_broker
from warren.gateway.network import machine
from warren.gateway.network.addresses import Listener
from warren.gateway.network.listeners import AddressUnusableError
from warren.gateway.network.unusable import AddressesUnusableError, Problem, elsewhere, error_of

HERE = ["127.0.0.1", "192.0.2.7", "::1", "2001:db8::7"]


@pytest.fixture(autouse=True)
def this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has these addresses, all ports free that nobody was promised, and tells nothing of other processes."""
    monkeypatch.setattr(machine, "addresses", lambda: list(HERE))
    monkeypatch.setattr(machine, "holders_of", lambda port: [])

    def free(hosts: object, first: int, taken: set[int]) -> int:
        return next(port for port in range(first, 65536) if port not in taken)

    monkeypatch.setattr(machine, "free_port", free)


def problem(listener: Listener, number: int, host: str = "", *, is_name: bool = False) -> Problem:
    where = Listener(listener.protocol, host or listener.host, listener.port, tls=listener.tls)
    return Problem(listener, AddressUnusableError(where, os.strerror(abs(number)), number, is_name=is_name))


def told(listener: Listener, number: int, host: str = "", *, is_name: bool = False) -> tuple[str, str]:
    """What is said of the address, and the options that are offered."""
    error = error_of([problem(listener, number, host, is_name=is_name)], [listener])
    text, _, offered = str(error).partition("\n    ")
    return text, offered


def test_a_port_that_somebody_has() -> None:
    text, offered = told(Listener("amqp", "localhost", 5672), errno.EADDRINUSE, "127.0.0.1")
    assert text.startswith(
        "can't listen on amqp=localhost:5672 (127.0.0.1): Address already in use, perhaps by another Warren or RabbitMQ"
    )
    assert "5672" in text.partition("RabbitMQ")[2], "a command that tells who it is"
    assert offered == "--listen amqp=localhost:5673"


def test_a_port_that_nobody_usually_has() -> None:
    text, _ = told(Listener("amqp", "localhost", 6000), errno.EADDRINUSE)
    assert "Address already in use, perhaps by another broker;" in text


def test_who_has_it_where_the_system_says(monkeypatch: pytest.MonkeyPatch) -> None:
    holders = [machine.Holder(812, "beam.smp", False), machine.Holder(9, "python3", True)]
    monkeypatch.setattr(machine, "holders_of", lambda port: holders)
    text, _ = told(Listener("amqp", "localhost", 5672), errno.EADDRINUSE)
    assert text.endswith(
        "Address already in use by beam.smp (process 812) and another Warren (process 9). Another port would do"
    )


def test_a_port_that_this_broker_has_itself() -> None:
    amqp, auto = Listener("amqp", "localhost", 5672), Listener("auto", "*", 5672)
    text = str(error_of([problem(auto, errno.EADDRINUSE, "0.0.0.0")], [amqp, auto]))
    assert "auto=*:5672 (0.0.0.0): Address already in use: amqp=localhost:5672 of this broker is there, too." in text
    assert text.endswith("\n    --listen 'auto=*:5673'")
    other = Listener("amqp", "192.0.2.7", 5672)
    text = str(error_of([problem(amqp, errno.EADDRINUSE)], [amqp, other]))
    assert "perhaps by another Warren" in text, "another address of the same port takes nothing away"


@pytest.mark.skipif(sys.platform != "linux", reason="rights to ports are Linux's")
@pytest.mark.parametrize(("port", "offered"), [(80, 8080), (443, 8443), (1023, 9023)])
def test_a_port_that_takes_a_right(port: int, offered: int) -> None:
    text, options = told(Listener("ws", "*", port), errno.EACCES, "0.0.0.0")
    python = Path(sys.executable).resolve()
    assert f"Permission denied: ports below 1024 need a right. `sudo setcap cap_net_bind_service=+ep {python}`" in text
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE" in text
    assert options == f"--listen 'ws=*:{offered}'"


def test_a_port_that_rules_forbid() -> None:
    text, offered = told(Listener("amqp", "localhost", 5672), errno.EACCES)
    assert "the system's rules forbid it" in text
    assert "setcap" not in text
    assert offered == "--listen amqp=localhost:5673"


@pytest.mark.parametrize(
    ("host", "offered"), [("198.51.100.1", "192.0.2.7:5672"), ("2001:db8::1", "'amqp=[2001:db8::7]:5672'")]
)
def test_an_address_of_another_machine(host: str, offered: str) -> None:
    text, options = told(Listener("amqp", host, 5672), errno.EADDRNOTAVAIL)
    assert f"this machine has no address {host}. It has 127.0.0.1, 192.0.2.7, ::1, 2001:db8::7, and * is all" in text
    assert options in (f"--listen amqp={offered}", f"--listen {offered}")


@pytest.mark.parametrize("number", [errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
@pytest.mark.parametrize(("host", "offered"), [("::1", "127.0.0.1"), ("::", "0.0.0.0"), ("2001:db8::1", "192.0.2.7")])
def test_a_machine_without_ipv6(monkeypatch: pytest.MonkeyPatch, number: int, host: str, offered: str) -> None:
    monkeypatch.setattr(machine, "addresses", lambda: HERE[:2])
    text, options = told(Listener("mqtt", host, 1883), number)
    assert "there is no IPv6 on this machine. In the other family it would be" in text
    assert options == f"--listen mqtt={offered}:1883"


def test_a_name_that_nobody_knows() -> None:
    text, offered = told(Listener("mqtt", "brocker.example", 1883, tls=True), socket.EAI_NONAME, is_name=True)
    assert "this machine knows no address of the name brocker.example. Name one it has (127.0.0.1, 192.0.2.7," in text
    assert offered == "--listen mqtts=localhost:1883"


def test_anything_else() -> None:
    text, offered = told(Listener("amqp", "localhost", 5672), errno.ENOBUFS)
    assert (text.endswith(". Another address may do"), offered) == (True, "--listen amqp=localhost:5673")


def test_all_are_told_at_once_and_no_port_is_offered_twice() -> None:
    amqp, stomp, ws, other = (
        Listener("amqp", "localhost", 5672),
        Listener("stomp", "localhost", 5673),
        Listener("ws", "localhost", 15674),
        Listener("ws", "localhost", 15675, proxy_protocol=True),
    )
    error = error_of([problem(amqp, errno.EADDRINUSE), problem(ws, errno.EADDRINUSE)], [amqp, stomp, ws, other])
    first, *lines = str(error).splitlines()
    assert first == "can't listen on 2 of 4 addresses:"
    assert lines[1::2] == [
        "    --listen amqp=localhost:5674",
        "    --listen ws=localhost:15676 --listen 'ws=localhost:15675?proxy_protocol=true'",
    ], "the other address of ws would go if it weren't named"
    assert [str(each) for each in error.instead] == [
        "amqp=localhost:5674",
        "ws=localhost:15676",
        "ws=localhost:15675?proxy_protocol=true",
    ]
    assert "    --listen-only amqp=localhost:5674\n" in error.text("--listen-only")


def test_several_of_one_protocol_are_offered_once() -> None:
    both = [Listener("ws", "localhost", 1), Listener("ws", "localhost", 2)]
    error = error_of([problem(each, errno.EADDRINUSE) for each in both], both)
    assert len(error.instead) == 2


def test_a_port_beyond_the_last_one() -> None:
    assert elsewhere(*problem(Listener("amqp", "localhost", 65535), errno.EADDRINUSE)).port == 1024


async def test_a_broker_that_fails_leaves_nothing_open() -> None:
    (port,) = free_ports(1)
    listen = [f"amqp=127.0.0.1:{port}", "stomp=198.51.100.1:1", "mqtt=nowhere.invalid:1"]
    with pytest.raises(AddressesUnusableError) as raised:
        async with open_broker(listen=listen):
            raise AssertionError("it started")
    assert isinstance(raised.value, StorageError)
    assert str(raised.value).startswith("can't listen on 2 of 3 addresses:\n  stomp=198.51.100.1:1: ")
    with socket.socket() as again:
        again.bind(("127.0.0.1", port))
