"""What is wrong with a request is said, by the right status and in words, and ends nothing but the request."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plugins.management.api import open_api, refusal
from warren.core.administration.listing.kinds import Listings
from warren.core.errors import StorageError
from warren.plugins.management.application import PLAIN_BODY_BYTES_MAX

BODIES: list[tuple[bytes, str]] = [
    (b"{", "isn't JSON"),
    (b"nonsense", "isn't JSON"),
    (b"\xff\xfe", "isn't JSON"),
    (b'{"durable": true', "isn't JSON"),
    (b"[]", "Expected `object`"),
    (b"5", "Expected `object`"),
    (b'{"durable": "perhaps"}', "`$.durable`"),
    (b'{"arguments": [1]}', "arguments must be an object, not an array"),
    (b'{"arguments": "x"}', "`$.arguments`"),
    (b'{"arguments": {"x-max-length": "many"}}', "x-max-length"),
    (b'{"arguments": {"x": 99999999999999999999}}', "64 bits"),
    (b'{"arguments": {"x": ' + b"[" * 2000 + b"]" * 2000 + b"}}", ""),
    (b'{"arguments": {"x": ' + b"[" * 30 + b"]" * 30 + b"}}", "levels deep"),
    (b'{"arguments": {"x": [' + b"1," * 1000 + b"1]}}", "more than 1000 values"),
    (b'{"arguments": {"x": {"y": [' + b"[1,1]," * 400 + b"1]}}}", "more than 1000 values"),
    (b'{"arguments": {"' + b"k" * 300 + b'": 1}}', "field table"),
]


@pytest.mark.parametrize(("body", "reason"), BODIES)
async def test_bodies(body: bytes, reason: str) -> None:
    async with open_api() as api:
        response = await api.ask("PUT", "/queues/%2F/q", content=body)
        assert reason in refusal(response, 400, "bad_request")
        assert await api.get("/queues") == []


async def test_what_a_limit_refuses_is_counted() -> None:
    async with open_api() as api:
        body = {"pattern": "", "definition": {"max-length": 1}, "priority": 2**70}
        assert "priority" in refusal(await api.ask("PUT", "/policies/%2F/p", body), 400, "bad_request")
        assert api.broker.limit_hits.of("values of arguments") == 1


async def test_old_clients_write_texts() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/q", {"durable": "true", "auto_delete": "false"})
        found = await api.get("/queues/%2F/q")
        assert (found["durable"], found["auto_delete"]) == (True, False)


async def test_a_body_that_is_too_large() -> None:
    async with open_api(management_body_bytes_max=2000) as api:
        body = {"arguments": {"x": "y" * 3000}}
        assert "at most 2000 bytes" in refusal(await api.ask("PUT", "/queues/%2F/q", body), 413, "payload_too_large")

        async def unannounced() -> Any:
            for _ in range(30):
                yield b" " * 100

        response = await api.ask("PUT", "/queues/%2F/q", content=unannounced())
        assert "at most 2000 bytes" in refusal(response, 413, "payload_too_large")
        assert (await api.ask("GET", "/whoami")).status_code == 200


async def test_only_messages_and_definitions_are_large() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/q", {})
        large = "x" * (PLAIN_BODY_BYTES_MAX + 1)
        message = {"routing_key": "q", "payload": large, "payload_encoding": "string", "properties": {}}
        assert (await api.ask("POST", "/exchanges/%2F/amq.default/publish", message)).json() == {"routed": True}
        assert (await api.ask("POST", "/definitions", {"explanation": large})).status_code == 204
        response = await api.ask("PUT", "/global-parameters/x", {"value": large})
        assert refusal(response, 413, "payload_too_large")


async def test_a_body_of_who_may_not_ask_is_not_read() -> None:
    async with open_api() as api:
        response = await api.ask("PUT", "/queues/%2F/q", content=b"{", auth=("guest", "wrong"))
        assert refusal(response, 401, "not_authorised") == "Login failed"


PATHS = [
    ("GET", "/queues/%FF", 400),
    ("GET", "/queues/%2F/%C3", 400),
    ("PUT", "/queues/%2F/" + "q" * 256, 400),
    ("PUT", "/exchanges/%2F/" + "x" * 256, 400),
    ("PUT", "/exchanges/%2F/amq.mine", 401),
    ("PUT", "/queues/%2F/amq.mine", 401),
    ("POST", "/exchanges/%2F/amq.default/publish", 400),
    ("GET", "/nothing", 404),
    ("GET", "/queues/%2F/q/nothing", 404),
    ("GET", "/vhosts/nowhere", 404),
    ("GET", "/nodes/nowhere", 404),
    ("GET", "/connections/nobody", 404),
    ("GET", "/channels/nobody", 404),
    ("GET", "/parameters/shovel/nowhere", 404),
    ("DELETE", "/connections/nobody", 404),
    ("GET", "/health/checks/port-listener/x", 400),
    ("GET", "/health/checks/port-listener/99999", 400),
    ("POST", "/queues/%2F/q", 405),
    ("PATCH", "/queues", 405),
    ("DELETE", "/overview", 405),
    ("PUT", "/overview", 405),
]


@pytest.mark.parametrize(("method", "path", "status"), PATHS)
async def test_paths(method: str, path: str, status: int) -> None:
    async with open_api() as api:
        response = await api.ask(method, path, {} if method in ("PUT", "POST") else None)
        found = response.json()
        assert (response.status_code, set(found)) == (status, {"error", "reason"}), response.text
        assert found["reason"]
        if status == 405:
            assert "OPTIONS" in response.headers["allow"]


async def test_queries() -> None:
    async with open_api() as api:
        for query in ("%FF=1", "name=%FF", "&".join(f"a{number}=1" for number in range(200))):
            response = await api.http.get(f"/api/queues?{query}", auth=("guest", "guest"))
            refusal(response, 400, "bad_request")
        assert await api.get("/queues?unheard=of&columns=&sort=&page=1") is not None


async def test_nothing_of_a_name_gets_into_headers() -> None:
    """A name may hold line breaks; what it makes is a body, or a Location where they are encoded.

    Names of queues lose theirs, as in AMQP.
    """
    async with open_api() as api:
        name = "a%0D%0ASet-Cookie%3A%20x%3D1"
        made = await api.ask("PUT", f"/vhosts/{name}", {})
        assert (made.status_code, made.headers["location"]) == (201, f"/api/vhosts/{name}")
        assert "set-cookie" not in made.headers
        await api.put(f"/queues/%2F/{name}", {})
        (queue,) = await api.get("/queues/%2F")
        assert queue["name"] == "aSet-Cookie: x=1"
        bound = await api.ask(
            "POST", "/bindings/%2F/e/amq.direct/q/aSet-Cookie%3A%20x%3D1", {"routing_key": "k\r\nx: y"}
        )
        assert (bound.status_code, "x" in bound.headers) == (201, False)
        refused = await api.ask("GET", f"/queues/%2F/{name}%21")
        assert "a\r\nSet-Cookie: x=1!" in refusal(refused, 404, "Object Not Found")


async def test_a_bug_ends_the_request_alone(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async with open_api() as api:
        with monkeypatch.context() as patch:
            patch.setattr(Listings, "kind", lambda self, what: 1 / 0)
            response = await api.ask("GET", "/vhosts")
        assert refusal(response, 500, "internal_server_error") == "a bug in the broker; its log has the details"
        assert (await api.ask("GET", "/vhosts")).status_code == 200
        (plugin,) = await api.get("/plugins")
        assert (plugin["state"], plugin["counters"]["internal_errors"]) == ("running", 1)
    assert "ZeroDivisionError" in caplog.text


async def test_a_store_that_fails_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*arguments: object) -> object:
        raise StorageError("the disk is gone")

    async with open_api() as api:
        with monkeypatch.context() as patch:
            patch.setattr(Listings, "kind", fails)
            response = await api.ask("GET", "/vhosts")
        assert refusal(response, 503, "service_unavailable") == "the disk is gone"
