"""Addresses that can't be had: all of them at once, each with what is the matter and what would do instead.

What is said fits what the system says (errno): somebody else has the port, ports below 1024 aren't for everybody, the
machine has no such address, no such name, no IPv6.  The remedies are values of `--listen`, whole ones: where a protocol
has several addresses, those that are fine are among them, since what is named replaces all.
"""

from __future__ import annotations

import errno
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from warren.core.clients.transport import is_loopback
from warren.core.errors import StorageError
from warren.gateway.network import machine
from warren.gateway.network.addresses import EVERY_ADDRESS, LOCALHOST, Listener, hosts_of
from warren.gateway.network.listeners import AddressUnusableError

PRIVILEGED: Final = 1024
"""Ports below this one need a right on most systems (IANA's system ports, RFC 6335, 6)."""

ABOVE: Final = 8000
"""Added to such a port for one that everybody may have: 443 is 8443, as many have it."""

USUAL: Final = {
    1883: "Mosquitto",
    8883: "Mosquitto",
    5671: "RabbitMQ",
    5672: "RabbitMQ",
    5552: "RabbitMQ",
    15672: "RabbitMQ",
    15674: "RabbitMQ",
    15675: "RabbitMQ",
    15692: "RabbitMQ",
    61613: "RabbitMQ or ActiveMQ",
}
"""Who is mostly found on these ports."""

IN_IPV4: Final = {"::1": "127.0.0.1", "::": "0.0.0.0"}
"""The same in the other family."""

NO_FAMILY: Final = frozenset({errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT})

SYSTEMD: Final = (
    "AmbientCapabilities=CAP_NET_BIND_SERVICE, CapabilityBoundingSet=CAP_NET_BIND_SERVICE and PrivateUsers=no in the "
    "[Service] of a systemd unit (systemctl edit warren)"
)


class Problem(NamedTuple):
    """A listener, as it is configured, and why it can't be."""

    listener: Listener
    error: AddressUnusableError


class Found(NamedTuple):
    """What is the matter, and the address that would do."""

    why: str
    instead: Listener


class Told(NamedTuple):
    """What is told of one problem, and all addresses that its protocol could have."""

    what: str
    instead: Sequence[Listener]


class AddressesUnusableError(StorageError):
    """Listeners that can't be, all that there are.

    told: of each.  wanted: how many addresses there should be.  instead: what would do, by the names of these protocols
    all addresses of each.
    """

    def __init__(self, told: Sequence[Told], wanted: int) -> None:
        self.told = tuple(told)
        self._wanted = wanted
        self.instead = tuple(dict.fromkeys(listener for each in told for listener in each.instead))
        super().__init__(self.text())

    def text(self, flag: str = "--listen") -> str:
        """The error with values of this option."""
        told = [f"{each.what}\n    {options(each.instead, flag)}" for each in self.told]
        if len(told) == 1:
            return f"can't listen on {told[0]}"
        return "\n  ".join([f"can't listen on {len(told)} of {self._wanted} addresses:", *told])


def error_of(problems: Sequence[Problem], listeners: Sequence[Listener]) -> AddressesUnusableError:
    """What is told of these problems.  listeners: all that were wanted, those that are fine too."""
    here = machine.addresses()
    taken = {listener.port for listener in listeners}
    found: dict[int, Found] = {}
    for problem in problems:
        found[id(problem.listener)] = each = _found(problem, listeners, here, taken)
        taken.add(each.instead.port)
    by_name: dict[str, list[Listener]] = {}
    for listener in listeners:
        by_name.setdefault(listener.name, []).append(found[id(listener)].instead if id(listener) in found else listener)
    told = [
        Told(f"{_where(problem)}: {found[id(problem.listener)].why}", by_name[problem.listener.name])
        for problem in problems
    ]
    return AddressesUnusableError(told, len(listeners))


def elsewhere(listener: Listener, error: AddressUnusableError) -> Listener:
    """Where one listener could be instead."""
    return _found(Problem(listener, error), [listener], machine.addresses(), {listener.port}).instead


def options(listeners: Iterable[Listener], flag: str = "--listen") -> str:
    """As they are typed, in quotes where a shell would make something else of them."""
    return " ".join(f"{flag} {shlex.quote(str(each))}" for each in listeners)


def _where(problem: Problem) -> str:
    """The listener, and which of its addresses it is about where it stands for several."""
    host = problem.error.listener.host
    return str(problem.listener) if host == problem.listener.host else f"{problem.listener} ({host})"


def _found(problem: Problem, listeners: Sequence[Listener], here: Sequence[str], taken: set[int]) -> Found:
    listener, error = problem
    host, reason = error.listener.host, error.reason
    if error.is_name:
        return Found(
            f"{reason}: this machine knows no address of the name {host}. Name one it has ({_listed(here)}), "
            f"{LOCALHOST} for itself alone, or {EVERY_ADDRESS} for all",
            _with_port(replace(listener, host=LOCALHOST), taken - {listener.port}),
        )
    if error.number == errno.EADDRINUSE:
        return Found(
            f"{reason}{_by_whom(listener, listeners)}. Another port would do", _with_port(listener, taken, step=1)
        )
    if error.number in (errno.EACCES, errno.EPERM):
        if 0 < listener.port < PRIVILEGED:
            return Found(_of_rights(listener.port, reason), _with_port(listener, taken, step=ABOVE))
        return Found(
            f"{reason}: the system's rules forbid it, SELinux's for instance. Another port may do",
            _with_port(listener, taken, step=1),
        )
    is_ipv6 = ":" in host
    if error.number in NO_FAMILY or (
        error.number == errno.EADDRNOTAVAIL and is_ipv6 and not any(":" in each for each in here)
    ):
        other = IN_IPV4.get(host) or _another(here, is_ipv6=not is_ipv6)
        return Found(
            f"{reason}: there is no IPv{6 if is_ipv6 else 4} on this machine. In the other family it would be",
            _with_port(replace(listener, host=other), taken - {listener.port}),
        )
    if error.number == errno.EADDRNOTAVAIL:
        return Found(
            f"{reason}: this machine has no address {host}. It has {_listed(here)}, and {EVERY_ADDRESS} is all of them",
            _with_port(replace(listener, host=_another(here, is_ipv6=is_ipv6)), taken - {listener.port}),
        )
    return Found(f"{reason}. Another address may do", _with_port(listener, taken, step=1))


def _by_whom(listener: Listener, listeners: Sequence[Listener]) -> str:
    own = next((each for each in listeners if each is not listener and each.port == listener.port), None)
    if own is not None and _share(own, listener):
        return f": {own} of this broker is there, too"
    holders = machine.holders_of(listener.port)
    if holders:
        return " by " + " and ".join(map(str, holders))
    who = f"another Warren or {USUAL[listener.port]}" if listener.port in USUAL else "another broker"
    if sys.platform == "linux":
        return f", perhaps by {who}; `sudo ss -ltnp 'sport = :{listener.port}'` tells"
    return f", perhaps by {who}; `sudo lsof -nP -iTCP:{listener.port} -sTCP:LISTEN` tells"


def _share(one: Listener, other: Listener) -> bool:
    """Whether two listeners have an address in common."""
    wildcards = {"0.0.0.0", "::", ""}
    first, second = set(hosts_of(one.host)), set(hosts_of(other.host))
    return bool(first & second or wildcards & first or wildcards & second)


def _of_rights(port: int, reason: str) -> str:
    if sys.platform != "linux":
        return f"{reason}: ports below {PRIVILEGED} are root's. Another port would do"
    python = shlex.quote(str(Path(sys.executable).resolve()))
    return (
        f"{reason}: ports below {PRIVILEGED} need a right. `sudo setcap cap_net_bind_service=+ep {python}` gives it to "
        f"every program of this Python, {SYSTEMD} to a service. Or another port"
    )


def _listed(here: Sequence[str]) -> str:
    return ", ".join(here) or "those that `ip addr` shows"


def _another(here: Sequence[str], *, is_ipv6: bool) -> str:
    """An address of this machine that others reach, if there is one in this family."""
    found = (each for each in here if (":" in each) == is_ipv6 and not is_loopback(each))
    return next(found, LOCALHOST)


def _with_port(listener: Listener, taken: set[int], step: int = 0) -> Listener:
    """The listener at the first free port from so many above its own on; any port stays any."""
    if listener.port == 0:
        return listener
    first = listener.port + step if listener.port + step <= machine.PORT_MAX else PRIVILEGED
    return replace(listener, port=machine.free_port(hosts_of(listener.host), first, taken))
