"""Every endpoint with bodies and paths that its schema allows, and with ones that it doesn't: never a fault of ours.

What is sent is made from the OpenAPI document alone, by a seed.  Whatever comes back has to be what the document says
(api.check_answer), and a 5xx is a fault, but where a health check says that something isn't well.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest

from tests.plugins.management.api import Api, open_api
from warren.plugins.management.endpoint import Endpoint
from warren.plugins.management.endpoints import ENDPOINTS
from warren.plugins.management.objects import Health
from warren.plugins.management.openapi import LIST_PARAMETERS, document

DOCUMENT = document(ENDPOINTS, "1")

NAMES = [
    "/",
    "q",
    "amq.default",
    "amq.topic",
    "guest",
    "a/b",
    "100%",
    "größe",
    "..",
    "~",
    " ",
    "'\"\\",
    "x" * 300,
    "\0\r\n",
]

WRONG: list[object] = [
    None,
    True,
    -1,
    2**63,
    1.5,
    "",
    "text",
    "\ud83d\ude00",
    "\ud83d",
    [],
    [None],
    {},
    {"": {}},
    "1" * 500,
]

ROUNDS = 6
"""Of bodies for each endpoint: one as the schema has it, the others wrong in one place or all."""

KEPT = {("DELETE", "/users/{user}"), ("DELETE", "/vhosts/{vhost}"), ("POST", "/users/bulk-delete")}
"""What would take the ground away from under the others."""


def value(schema: Mapping[str, Any], rng: random.Random) -> object:
    """Something that a schema allows."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return value(DOCUMENT["components"]["schemas"][name], rng)
    if "anyOf" in schema:
        return value(rng.choice(schema["anyOf"]), rng)
    kind = schema.get("type")
    if kind == "object":
        properties = schema.get("properties", {})
        chosen = [name for name in properties if name in schema.get("required", ()) or rng.random() < 0.7]
        return {name: value(properties[name], rng) for name in chosen}
    if kind == "array":
        return [value(schema.get("items", {}), rng) for _ in range(rng.randrange(3))]
    if kind == "integer":
        return rng.choice([0, 1, -1, 5, 2**31, 2**63 - 1])
    if kind == "boolean":
        return rng.random() < 0.5
    if kind == "string":
        return rng.choice([*NAMES, "string", "base64", "auto", "ack_requeue_true", "queues", "^q", "(", "classic"])
    return None if kind == "null" else rng.choice(WRONG)


def spoilt(body: object, rng: random.Random) -> object:
    """The body with something else in one place, or altogether."""
    if not isinstance(body, dict) or not body or rng.random() < 0.2:
        return rng.choice(WRONG)
    name = rng.choice(list(body))
    return {**body, name: rng.choice(WRONG)}


def body_of(each: Endpoint, rng: random.Random, *, spoil: bool) -> object:
    operation = DOCUMENT["paths"][f"/api{each.path}"][each.method.lower()]
    made = value(operation["requestBody"]["content"]["application/json"]["schema"], rng)
    return spoilt(made, rng) if spoil else made


def path_of(each: Endpoint, rng: random.Random) -> str:
    def part(found: re.Match[str]) -> str:
        name = "/" if found[1] == "vhost" and rng.random() < 0.8 else rng.choice(NAMES)
        return quote(name, safe="").replace(".", "%2E")

    path = re.sub(r"\{(\w+)\}", part, each.path)
    if each.lists and rng.random() < 0.5:
        chosen = rng.sample(list(LIST_PARAMETERS), 3)
        query = "&".join(f"{name}={quote(str(rng.choice([1, 'true', 'name', *NAMES])))}" for name in chosen)
        path += f"?{query}"
    return path


def as_before(api: Api) -> None:
    """Whoever asks may ask for everything again, whatever a request has done to the user."""
    users = api.broker.users
    if "guest" not in users:
        users.add_user("guest", "guest")
    users.change_password("guest", "guest")
    users.set_tags("guest", ["administrator"])
    users.set_permissions("guest", "/", ".*", ".*", ".*")


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_asked_is_answered_as_the_document_says(seed: int) -> None:
    rng = random.Random(seed)
    asked = refused = 0
    async with open_api(plugins=("management", "shovel")) as api:
        await api.put("/queues/%2F/q", {})
        for each in rng.sample(ENDPOINTS, len(ENDPOINTS)):
            if (each.method, each.path) in KEPT:
                continue
            for number in range(ROUNDS if each.body is not None else 2):
                path = path_of(each, rng)
                body = None if each.body is None else body_of(each, rng, spoil=number > 0)
                content = json.dumps(body).encode() if each.body is not None else b""
                response = await api.ask(each.method, path, content=content)
                assert response.status_code < 500 or each.answer is Health, (each.method, path, body, response.text)
                if each.method != "GET":
                    as_before(api)
                refused += response.status_code == 401
                asked += 1
        assert refused < asked / 20, "else not much was asked"
        counters = api.embedded.inspect("plugins")[0]["counters"]
        assert isinstance(counters, dict)
        assert counters["internal_errors"] == 0
