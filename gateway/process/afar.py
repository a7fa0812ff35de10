"""Said at the start: addresses that others can reach, where nobody may log in from.

`guest`, the first user, may connect from this machine alone (`loopback_users`), since everybody knows its password.
Who opens a port to the network and has no other user has clients that are refused, and wonders why.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Final

from warren.core.clients.transport import is_loopback
from warren.gateway.network.addresses import format_address

WITHOUT_LOGIN: Final = frozenset({"metrics", "metricss"})
"""Listeners where nobody is asked who they are."""

SHOWN_MAX: Final = 4
"""Addresses that are named, for a line that can be read."""


def addresses_from_afar(listening: Mapping[str, Sequence[tuple[str, int]]]) -> list[str]:
    """Where somebody on another machine could log in; listening: addresses by the listener's name."""
    return [
        f"{name}={format_address(host, port)}"
        for name, addresses in listening.items()
        for host, port in addresses
        if name not in WITHOUT_LOGIN and not is_loopback(host)
    ]


def warning(
    addresses: Sequence[str], users: Collection[str], loopback_users: Collection[str], data_directory: Path | None
) -> str | None:
    """What to say of these addresses, with what to do; None where there is a user for them.

    users: all there are.  data_directory: where the control socket is, if there is one.
    """
    if not addresses or any(name not in loopback_users for name in users):
        return None
    more = len(addresses) - SHOWN_MAX
    shown = ", ".join(addresses[:SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")
    return (
        f"{shown} can be reached from other machines, but nobody may log in from there: {_why(users)}. "
        f"{_remedy(data_directory)}"
    )


def _why(users: Collection[str]) -> str:
    if not users:
        return "there is no user"
    if len(users) == 1:
        return f"{next(iter(users))}, the only user, may connect from this machine alone"
    return f"all users ({', '.join(sorted(users))}) are among loopback_users, who may connect from this machine alone"


def _remedy(data_directory: Path | None) -> str:
    if data_directory is None:
        return (
            "As it keeps nothing and has no control socket, start it with a user: "
            "--set default_user=NAME --set default_pass=PASSWORD"
        )
    return f"Add one: warren user add NAME --data-dir {quote(str(data_directory))}"
