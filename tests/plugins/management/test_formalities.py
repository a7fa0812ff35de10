"""What has one answer here, and what other plugins keep: shovels, links; definitions as a form; certificates."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.plugins.management.api import Api, open_api, refusal
from tests.support.certificates import TestAuthority, config_with
from warren.gateway import open_broker
from warren.plugins.management.errors import ApiError
from warren.plugins.management.forms import file_of_form


async def test_one_answer() -> None:
    async with open_api() as api:
        assert (await api.get("/version"))[0].isdigit()
        assert (await api.get("/auth", auth=None))["oauth_enabled"] is False
        for path in ("/feature-flags", "/deprecated-features", "/deprecated-features/used", "/extensions"):
            assert await api.get(path) == []
        refusal(await api.ask("PUT", "/feature-flags/quorum_queue/enable"), 404, "Object Not Found")
        hashed = (await api.get("/auth/hash_password/secret"))["ok"]
        await api.put("/users/ann", {"password_hash": hashed, "tags": "management"})
        assert (await api.get("/whoami", auth=("ann", "secret")))["name"] == "ann"
        configured = await api.get("/config/effective")
        assert (configured["in_memory"], configured["refused_login_delay_s"]) == (True, 0.0)
        assert (await api.ask("POST", "/rebalance/queues")).status_code == 204
        assert (await api.ask("DELETE", "/reset")).status_code == 204
        node = (await api.get("/overview"))["node"]
        assert (await api.ask("DELETE", f"/reset/{node}")).status_code == 204
        assert (await api.ask("POST", f"/vhosts/%2F/start/{node}")).status_code == 204
        for method, path in (("DELETE", "/reset/other"), ("POST", "/vhosts/%2F/start/x"), ("GET", "/nodes/x/memory")):
            refusal(await api.ask(method, path), 404, "Object Not Found")
        memory = (await api.get(f"/nodes/{node}/memory"))["memory"]
        assert memory["total"]["rss"] >= memory["queue_procs"] >= 0
        assert (await api.get(f"/nodes/{node}/memory/relative"))["memory"]["total"] == 100
        await api.put("/queues/%2F/q", {})
        assert (await api.ask("POST", "/queues/%2F/q/actions", {"action": "sync"})).status_code == 204
        refusal(await api.ask("POST", "/queues/%2F/q/actions", {"action": "dance"}), 400, "bad_request")
        refusal(await api.ask("POST", "/queues/%2F/none/actions", {"action": "sync"}), 404, "Object Not Found")


async def test_shovels_can_be_looked_at_restarted_and_deleted() -> None:
    async with open_api(plugins=("management", "shovel")) as api:
        assert await api.get("/shovels") == []
        value = {"src-uri": "amqp://", "src-queue": "a", "dest-uri": "amqp://", "dest-queue": "b"}
        await api.put("/parameters/shovel/%2F/s", {"value": value})
        while not await api.get("/shovels/%2F"):
            pass
        (found,) = await api.get("/shovels/vhost/%2F/s")
        assert (found["name"], found["vhost"], found["type"]) == ("s", "/", "dynamic")
        assert (await api.ask("DELETE", "/shovels/vhost/%2F/s/restart")).status_code == 204
        refusal(await api.ask("DELETE", "/shovels/vhost/%2F/other/restart"), 404, "Object Not Found")
        await api.put("/parameters/shovel/%2F/kept", {"value": {**value, "internal": True}})
        while len(await api.get("/shovels/%2F")) < 2:
            pass
        assert "is internal" in refusal(await api.ask("DELETE", "/shovels/vhost/%2F/kept"), 400, "bad_request")
        assert (await api.ask("DELETE", "/shovels/vhost/%2F/s")).status_code == 204
        assert [each["name"] for each in await api.get("/parameters/shovel/%2F")] == ["kept"]


async def test_without_their_plugins_there_are_none() -> None:
    async with open_api() as api:
        assert await api.get("/shovels") == await api.get("/federation-links") == []
        node = (await api.get("/overview"))["node"]
        for path in (
            "/shovels/vhost/%2F/s",
            "/shovels/vhost/%2F/s/restart",
            f"/federation-links/vhost/%2F/id/{node}/restart",
        ):
            refusal(await api.ask("DELETE", path), 404, "Object Not Found")


async def test_definitions_as_a_form() -> None:
    async with open_api() as api:
        document = b'{"queues": [{"name": "q", "vhost": "/", "durable": true, "auto_delete": false, "arguments": {}}]}'
        for path in ("/definitions", "/all-configuration", "/definitions/%2F"):
            files = {"other": b"x", "file": document}
            response = await api.http.post(f"/api{path}", files=files, auth=("guest", "guest"))
            assert response.status_code == 204, response.text
            assert (await api.ask("DELETE", "/queues/%2F/q")).status_code == 204
        response = await api.http.post("/api/definitions", files={"other": b"x"}, auth=("guest", "guest"))
        assert "has no field 'file'" in refusal(response, 400, "bad_request")


def test_a_file_in_a_form_may_be_any_bytes() -> None:
    content = b'--x\r\n--\r\n\r\nname="file"'
    head = b'Content-Disposition: form-data; name="file"; filename="x"\r\nContent-Type: application/json\r\n\r\n'
    body = b"preamble\r\n--bound\r\n" + head + content + b"\r\n--bound--\r\n"
    assert file_of_form(body, 'multipart/form-data; boundary="bound"') == content
    assert file_of_form(body, "application/json") == body


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "multipart/form-data"),
        (b"", "multipart/form-data; boundary=" + "x" * 71),
        (b"", "multipart/form-data; boundary=x"),
        (b"--x--", "multipart/form-data; boundary=x"),
        (b'--x\r\nContent-Disposition: form-data; name="file"', "multipart/form-data; boundary=x"),
    ],
)
def test_what_is_no_form_with_a_file(body: bytes, content_type: str) -> None:
    with pytest.raises(ApiError):
        file_of_form(body, content_type)


async def test_certificates_that_expire_soon(tmp_path: Path) -> None:
    """It is valid for 90 days."""
    authority = TestAuthority(tmp_path)
    config = config_with(authority, authority.issue("server", "localhost"), plugins=("management",))
    async with open_broker(listen=("https=127.0.0.1:0",), config=config) as broker:
        base = f"https://localhost:{broker.address('https')[1]}/api/health/checks/certificate-expiration"
        async with httpx.AsyncClient(
            verify=authority.client_context(), auth=("guest", "guest"), trust_env=False
        ) as client:
            assert (await client.get(f"{base}/2/months")).json() == {"status": "ok"}
            assert (await client.get(f"{base}/0/days")).status_code == 200
            found = await client.get(f"{base}/1/years")
            assert (found.status_code, found.json()["status"]) == (503, "failed")
            assert found.json()["expired"][0]["certificate"].endswith("server.pem")
            for asked in ("x/days", "1/fortnights", "-1/days", "99999/days"):
                assert (await client.get(f"{base}/{asked}")).status_code == 400


async def test_a_federation_link_can_be_looked_at_and_restarted() -> None:
    """The broker is its own upstream, in another virtual host; a restarted link comes by another connection."""
    plugins = ("management", "federation")
    async with open_api(plugins=plugins, listen=("http=127.0.0.1:0", "amqp=127.0.0.1:0")) as api:
        host, port = api.embedded.address("amqp")
        await api.put("/vhosts/up", {})
        await api.put("/exchanges/%2F/x", {"type": "direct", "durable": True})
        upstream = {"uri": f"amqp://guest:guest@{host}:{port}/up", "reconnect-delay": 1}
        await api.put("/parameters/federation-upstream/%2F/u", {"value": upstream})
        policy = {"pattern": "^x$", "definition": {"federation-upstream": "u"}, "apply-to": "exchanges"}
        await api.put("/policies/%2F/p", policy)
        first = await link_connection(api)
        (link,) = await api.get("/federation-links/%2F")
        assert (link["exchange"], link["upstream"], link["status"]) == ("x", "u", "running")
        node = (await api.get("/overview"))["node"]
        restart = f"/federation-links/vhost/%2F/{link['id']}/{node}/restart"
        assert (await api.ask("DELETE", restart)).status_code == 204
        second = await link_connection(api, after=first)
        assert second != first
        (again,) = await api.get("/federation-links/%2F")
        assert again["id"] == link["id"]
        for path in (
            f"/federation-links/vhost/%2F/none/{node}/restart",
            f"/federation-links/vhost/%2F/{link['id']}/other/restart",
            f"/federation-links/vhost/up/{link['id']}/{node}/restart",
        ):
            refusal(await api.ask("DELETE", path), 404, "Object Not Found")


async def link_connection(api: Api, *, after: str = "") -> str:
    """The name of the link's connection to its upstream, once the link runs by another than `after`."""
    while True:
        links = await api.get("/federation-links/%2F")
        names = [each["name"] for each in await api.get("/vhosts/up/connections") if each["name"] != after]
        if names and [each["status"] for each in links] == ["running"]:
            return str(names[0])


async def test_the_old_check_of_a_node_takes_its_name() -> None:
    async with open_api() as api:
        (node,) = await api.get("/nodes?columns=name")
        for path in ("/healthchecks/node", f"/healthchecks/node/{node['name']}"):
            assert await api.get(path) == {"status": "ok"}
        refusal(await api.ask("GET", "/healthchecks/node/rabbit@elsewhere"), 404, "Object Not Found")
