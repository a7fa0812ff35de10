"""Who may ask what: every endpoint, by the tag of who asks, in a virtual host of the own and in another.

    python -m tests.plugins.management.matrix

writes permissions.txt anew, from what a broker answers; whoever reads its changes judges them.  A line is an endpoint,
and for each virtual host a letter for each tag that isn't refused (401), in the order of TAGS:

    GET /queues/{vhost}                                     own -mpMa-  other ---Ma-
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import trio

from tests.plugins.management.api import Api, open_api
from warren.core.administration import operations
from warren.plugins.management.endpoint import Endpoint
from warren.plugins.management.endpoints import ENDPOINTS

TABLE = Path(__file__).parent / "permissions.txt"

TAGS: Mapping[str, str] = {
    "n": "none",
    "m": "management",
    "p": "policymaker",
    "M": "monitoring",
    "a": "administrator",
    "i": "impersonator",
}
"""A letter for each; `none` has no tag."""

OWN, OTHER = "own", "other"

DESTRUCTIVE = {("DELETE", "/vhosts/{vhost}")}
"""What would take away what the others ask about."""

PARTS = {"component": "federation-upstream", "port": "1", "protocols": "amqp", "within": "1", "unit": "days"}
"""What a part of a path has to be for it to be one; anything else isn't there."""

Ask = Callable[[str, str, str, bytes | None], Awaitable[int]]
"""Takes tag, method, path and body; gives the status."""


def path_of(each: Endpoint, vhost: str, node: str) -> str:
    """A path of the endpoint, about things that aren't there, in this virtual host."""
    parts = {**PARTS, "vhost": vhost, "node": node}
    return re.sub(r"\{(\w+)\}", lambda found: parts.get(found[1], "nothing"), each.path)


async def refusals(ask: Ask, node: str) -> AsyncIterator[tuple[Endpoint, dict[str, str]]]:
    """Each endpoint, and for each virtual host the letters of who isn't refused."""
    for each in ENDPOINTS:
        if (each.method, each.path) in DESTRUCTIVE:
            continue
        found = {}
        for vhost in (OWN, OTHER) if "{vhost}" in each.path else (OWN,):
            path = path_of(each, vhost, node)
            body = b"{}" if each.body is not None else None
            statuses = {letter: await ask(tag, each.method, path, body) for letter, tag in TAGS.items()}
            found[vhost] = "".join("-" if status == 401 else letter for letter, status in statuses.items())
        yield each, found


def line(each: Endpoint, found: Mapping[str, str]) -> str:
    """A line of the table."""
    shown = "  ".join(f"{vhost} {letters}" for vhost, letters in found.items())
    return f"{each.method + ' ' + each.path:<92} {shown}"


async def of_warren() -> list[str]:
    """The lines as a broker answers now."""
    async with open_api(plugins=("management", "federation")) as api:
        for name in (OWN, OTHER):
            operations.vhosts.add(api.broker, name)
        for tag in TAGS.values():
            api.user(f"u-{tag}", *([] if tag == "none" else [tag]), vhost=OWN)
        node = (await api.get("/overview"))["node"]

        async def ask(tag: str, method: str, path: str, body: bytes | None) -> int:
            response = await api.http.request(method, f"/api{path}", content=body, auth=(f"u-{tag}", "secret"))
            _hold(api)
            return response.status_code

        return [line(each, found) async for each, found in refusals(ask, node)]


def _hold(api: Api) -> None:
    """Users stay what they are, whatever was asked."""
    for tag in TAGS.values():
        assert f"u-{tag}" in api.broker.users


if __name__ == "__main__":
    TABLE.write_text("\n".join(trio.run(of_warren)) + "\n")
