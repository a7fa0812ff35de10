"""A broker with the management API, and a client of it over a real socket."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from warren.core.broker import Broker
from warren.gateway import EmbeddedBroker, open_broker
from warren.gateway.configuration.config import Config
from warren.plugins.management.endpoint import Endpoint
from warren.plugins.management.endpoints import ENDPOINTS

GUEST = ("guest", "guest")


@dataclass(frozen=True, slots=True)
class Api:
    """embedded: the broker.  port: of the listener.  http: keeps a connection, logs in as guest."""

    embedded: EmbeddedBroker
    port: int
    http: httpx.AsyncClient

    @property
    def broker(self) -> Broker:
        """Its core."""
        return self.embedded._server.broker

    async def ask(
        self, method: str, path: str, body: object = None, *, auth: tuple[str, str] | None = GUEST, **more: Any
    ) -> httpx.Response:
        """One request; what is answered is held against the endpoint's type.  body: written as JSON."""
        if body is not None:
            more["content"] = msgspec.json.encode(body)
        response = await self.http.request(method, f"/api{path}", auth=auth, **more)
        check_answer(method, path, response)
        return response

    async def get(self, path: str, **more: Any) -> Any:
        """What is answered with 200."""
        response = await self.ask("GET", path, **more)
        assert response.status_code == 200, response.text
        return response.json()

    async def put(self, path: str, body: object, status: int = 201) -> None:
        """Have something made."""
        response = await self.ask("PUT", path, body)
        assert response.status_code == status, response.text

    def user(self, name: str, *tags: str, vhost: str | None = "/") -> tuple[str, str]:
        """Another user, with the password `secret`, who may do everything in the virtual host."""
        self.broker.users.add_user(name, "secret", tags)
        if vhost is not None:
            self.broker.users.set_permissions(name, vhost, ".*", ".*", ".*")
        return name, "secret"


@asynccontextmanager
async def open_api(*, listen: Sequence[str] = ("http=127.0.0.1:0",), **options: object) -> AsyncIterator[Api]:
    """A broker that keeps nothing, with these keys of the configuration, whose refusals don't wait."""
    config = Config(in_memory=True, plugins=("management",)).replace(**{"refused_login_delay_s": 0.0, **options})
    async with open_broker(listen=listen, config=config) as embedded:
        ((_, port),) = embedded.listening["http"]
        base = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=base, timeout=30.0, trust_env=False) as client:
            yield Api(embedded, port, client)


def refusal(response: httpx.Response, status: int, error: str) -> str:
    """The reason of an answer that refuses."""
    found = response.json()
    assert (response.status_code, found["error"], set(found)) == (status, error, {"error", "reason"}), response.text
    return str(found["reason"])


def endpoint_of(method: str, path: str) -> Endpoint | None:
    """The endpoint that answers; words count before names."""
    wanted = path.partition("?")[0].rstrip("/")
    for each in sorted(ENDPOINTS, key=lambda each: each.path.count("{")):
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(each.path))
        if each.method == method and re.fullmatch(pattern, wanted):
            return each
    return None


def check_answer(method: str, path: str, response: httpx.Response) -> None:
    """Hold an answer against what the endpoint declares; whatever it declares, errors look alike."""
    if response.status_code >= 400 and response.status_code != 503 and method != "HEAD":
        assert {"error", "reason"} == set(response.json()), response.text
    if response.status_code in (201, 204, 304):
        assert response.content == b""
    found = endpoint_of(method, path)
    if response.status_code == 200 and method != "HEAD" and found is not None:
        assert found.answer is not None, f"{found.path} declares no answer"
        assert response.headers["content-type"] == "application/json"
        wanted: Any = found.answer
        if found.lists:
            value = response.json()
            content = msgspec.json.encode(value["items"] if isinstance(value, Mapping) else value)
            msgspec.json.decode(content, type=list[wanted])
        else:
            msgspec.json.decode(response.content, type=wanted)
