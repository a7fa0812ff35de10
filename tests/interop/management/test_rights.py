"""Who may ask what: every endpoint that both have, by every tag, in the own virtual host and in another.

RabbitMQ's answers are held against permissions.txt, which Warren's are held against elsewhere; the differences are in
docs/management_rabbitmq.md, each with its reason.
"""

from __future__ import annotations

import re

import httpx

from tests.interop.clients import need
from tests.interop.management.comparing import rows
from tests.plugins.management.matrix import OTHER, OWN, TABLE, TAGS, refusals
from tests.support.rabbitmq import rabbitmq, rabbitmq_available, rabbitmq_version

PLUGINS = (
    "rabbitmq_management",
    "rabbitmq_shovel",
    "rabbitmq_shovel_management",
    "rabbitmq_federation",
    "rabbitmq_federation_management",
)

HEADERS = {"content-type": "application/json", "connection": "close"}
"""It closes connections whose bodies it hasn't read."""

EVERYBODY = "".join(TAGS)
"""What an endpoint answers that isn't there, as nobody has to log in for that."""

FOR_ANYBODY = "GET /auth"


async def _set_up(http: httpx.AsyncClient) -> str:
    """Virtual hosts, and a user for each tag; gives the node's name."""
    for vhost in (OWN, OTHER):
        assert (await http.put(f"/api/vhosts/{vhost}", content=b"{}")).status_code == 201
    for tag in TAGS.values():
        user = {"password": "secret", "tags": "" if tag == "none" else tag}
        assert (await http.put(f"/api/users/u-{tag}", json=user)).status_code == 201
        rights = {"configure": ".*", "write": ".*", "read": ".*"}
        assert (await http.put(f"/api/permissions/{OWN}/u-{tag}", json=rights)).status_code == 201
    node: str = (await http.get("/api/overview")).json()["node"]
    return node


async def _of_rabbitmq(port: int) -> dict[str, str]:
    """Who isn't refused, by endpoint, of those that are there."""
    base = f"http://127.0.0.1:{port}"
    client = httpx.AsyncClient(base_url=base, auth=("guest", "guest"), headers=HEADERS, timeout=60, trust_env=False)
    async with client as http:
        node = await _set_up(http)

        async def ask(tag: str, method: str, path: str, body: bytes | None) -> int:
            response = await http.request(method, f"/api{path}", content=body, auth=(f"u-{tag}", "secret"))
            return response.status_code

        found = {f"{each.method} {each.path}": letters async for each, letters in refusals(ask, node)}
    return {
        name: "  ".join(f"{vhost} {of}" for vhost, of in letters.items())
        for name, letters in found.items()
        if letters[OWN] != EVERYBODY or name == FOR_ANYBODY
    }


async def test_rights() -> None:
    need(rabbitmq_available() and rabbitmq_version().startswith("3.10."), "RabbitMQ 3.10")
    here = dict(found.split("  ", 1) for found in map(_squeezed, TABLE.read_text().splitlines()))
    with rabbitmq(plugins=PLUGINS) as node:
        there = await _of_rabbitmq(node.ports["management"])
    assert len(there) > 100
    listed = {(row.cells[0], row.cells[1], row.cells[2]) for row in rows("Rights")}
    seen = {(name, letters, here[name]) for name, letters in there.items() if letters != here[name]}
    assert seen - listed == set(), "not listed"
    assert listed - seen == set(), "listed, and not there any more"


def _squeezed(line: str) -> str:
    """A line of the table with two spaces between its columns."""
    return re.sub(r" {2,}", "  ", line)
