"""`warren` for a test that follows a page: the well-known ports of the page are others here, which are free.

    WALK_PORTS=5672:40123,1883:40124 python -m tests.docs.walk_warren serve

Whatever is bound to a port that the environment names gets the one behind the colon.
"""

from __future__ import annotations

import os
import socket
from typing import Any

PORTS = {
    int(before): int(after)
    for before, _, after in (each.partition(":") for each in os.environ["WALK_PORTS"].split(","))
}

_bind = socket.socket.bind


def bind(self: socket.socket, address: Any) -> None:
    """socket.bind, but for the port."""
    if isinstance(address, tuple):
        address = (address[0], PORTS.get(address[1], address[1]), *address[2:])
    _bind(self, address)


if __name__ == "__main__":
    from warren.gateway.command_line.main import main

    socket.socket.bind = bind  # type: ignore[method-assign,assignment]
    main()
