"""Who may ask what: a matrix of all endpoints and tags, virtual hosts, logins."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.plugins.management.api import open_api, refusal
from warren.plugins.management.access import Needs
from warren.plugins.management.endpoint import Endpoint
from warren.plugins.management.endpoints import ENDPOINTS

PARTS = {"vhost": "%2F", "node": "x", "component": "shovel", "port": "1", "protocols": "amqp"}


def path_of(each: Endpoint) -> str:
    """A path of this endpoint, of things that aren't there, but for the virtual host."""
    return re.sub(r"\{(\w+)\}", lambda found: PARTS.get(found[1], "nothing"), each.path)


async def test_nobody_and_who_has_no_tag() -> None:
    """They get 401 everywhere, and are told how to log in; matrix.py is about who has a tag."""
    async with open_api() as api:
        tagless, stranger = api.user("tagless"), ("nobody", "secret")
        for each in ENDPOINTS:
            if each.needs is Needs.ANYBODY:
                continue
            body = b"{}" if each.body is not None else b""
            for auth in (tagless, stranger, None):
                response = await api.http.request(each.method, f"/api{path_of(each)}", content=body, auth=auth)
                assert response.status_code == 401, (each.method, each.path)
                assert response.headers["www-authenticate"] == 'Basic realm="RabbitMQ Management"'


async def test_virtual_hosts_of_others() -> None:
    async with open_api() as api:
        await api.put("/vhosts/theirs", {})
        await api.put("/queues/theirs/q", {})
        await api.put("/queues/%2F/mine", {})
        ann, watcher, root = api.user("ann", "management"), api.user("w", "monitoring"), api.user("r", "administrator")
        assert [each["name"] for each in await api.get("/queues", auth=ann)] == ["mine"]
        assert [each["name"] for each in await api.get("/vhosts", auth=ann)] == ["/"]
        assert {each["vhost"] for each in await api.get("/exchanges", auth=ann)} == {"/"}
        assert {each["vhost"] for each in await api.get("/bindings", auth=ann)} == {"/"}
        assert (await api.get("/overview", auth=ann))["object_totals"]["queues"] == 1
        assert "listeners" not in await api.get("/overview", auth=ann)
        for path in ("/queues/theirs", "/queues/theirs/q", "/vhosts/theirs", "/queues/nowhere"):
            assert "may not access" in refusal(await api.ask("GET", path, auth=ann), 401, "not_authorised")
        for user in (watcher, root):
            assert {each["name"] for each in await api.get("/queues", auth=user)} == {"mine", "q"}
            assert [each["name"] for each in await api.get("/queues/theirs", auth=user)] == ["q"]
        refusal(await api.ask("PUT", "/queues/theirs/x", {}, auth=watcher), 401, "not_authorised")
        reason = refusal(await api.ask("PUT", "/queues/theirs/x", {}, auth=root), 401, "not_authorised")
        assert "configure access" in reason, "an administrator still needs permissions there"
        refusal(await api.ask("GET", "/queues/nowhere", auth=root), 404, "Object Not Found")


async def test_connections_of_others() -> None:
    async with open_api() as api:
        ann = api.user("ann", "management")
        watcher = api.user("w", "monitoring")
        async with api.embedded.connect("ann") as hers, api.embedded.connect("guest") as his:
            assert {each["user"] for each in await api.get("/connections", auth=ann)} == {"ann"}
            assert {each["user"] for each in await api.get("/channels", auth=ann)} == {"ann"}
            assert {each["user"] for each in await api.get("/connections", auth=watcher)} == {"ann", "guest"}
            assert (await api.get(f"/connections/{hers.name}", auth=ann))["user"] == "ann"
            assert await api.get("/connections/username/guest", auth=ann) == []
            assert len(await api.get("/connections/username/guest", auth=watcher)) == 1
            assert len(await api.get("/vhosts/%2F/connections")) == 2
            assert len(await api.get(f"/connections/{his.name}/channels")) == 1
            (channel,) = await api.get(f"/connections/{hers.name}/channels", auth=ann)
            found = await api.get(f"/channels/{channel['name']}")
            assert {name: found[name] for name in channel} == channel
            refusal(await api.ask("GET", f"/connections/{his.name}", auth=ann), 404, "Object Not Found")
            refusal(await api.ask("DELETE", f"/connections/{his.name}", auth=ann), 404, "Object Not Found")
            refusal(await api.ask("DELETE", f"/connections/{his.name}", auth=watcher), 401, "not_authorised")
            refusal(await api.ask("DELETE", "/connections/username/guest", auth=watcher), 401, "not_authorised")
            response = await api.ask(
                "DELETE", f"/connections/{hers.name}", headers={"x-reason": "tidying up"}, auth=ann
            )
            assert response.status_code == 204
            assert "tidying up" in await hers.wait_closed()
            assert (await api.ask("DELETE", "/connections/username/guest")).status_code == 204
            assert "management API" in await his.wait_closed()
            response = await api.ask("DELETE", "/connections/x", headers={"x-reason": "x" * 2000})
            refusal(response, 404, "Object Not Found")


LOGINS = [
    None,
    "",
    "Basic",
    "Basic !!!",
    "Basic Z3Vlc3Q6Z3Vlc3Q\xe4".encode("latin-1"),
    "Basic " + base64.b64encode(b"guest").decode(),
    "Basic " + base64.b64encode(b"\xff:\xff").decode(),
    "Bearer abc",
    "Basic " + base64.b64encode(b"guest:wrong").decode(),
    "Basic " + base64.b64encode(b"nobody:guest").decode(),
    "Basic " + base64.b64encode(b":").decode(),
    "Basic " + base64.b64encode(b"(broker):").decode(),
]


@pytest.mark.parametrize("header", LOGINS)
async def test_what_is_no_login(header: str | bytes | None) -> None:
    async with open_api() as api:
        headers = {} if header is None else {"authorization": header}
        response = await api.ask("GET", "/whoami", auth=None, headers=headers)
        assert refusal(response, 401, "not_authorised")


async def test_a_password_may_hold_colons_and_unicode() -> None:
    async with open_api() as api:
        await api.put("/users/größe", {"password": "a:b:ü", "tags": "management"})
        login = base64.b64encode("größe:a:b:ü".encode()).decode()
        assert (await api.get("/whoami", auth=None, headers={"authorization": f"basic {login}"}))["name"] == "größe"


async def test_guest_comes_from_this_machine_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warren.plugins.management.access.is_loopback", lambda host: False)
    async with open_api() as api:
        assert refusal(await api.ask("GET", "/whoami"), 401, "not_authorised") == "Login failed"
        assert (await api.ask("GET", "/whoami", auth=api.user("ann", "management"))).status_code == 200


async def test_a_wrong_password_is_answered_late(mock_clock: MockClock) -> None:
    async with open_api(refused_login_delay_s=3.0) as api:
        answered = trio.Event()

        async def ask() -> None:
            assert (await api.ask("GET", "/whoami", auth=("guest", "wrong"))).status_code == 401
            answered.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            while not len(api.broker.refused_logins):
                await trio.sleep(0)
            mock_clock.jump(2.9)
            for _ in range(50):
                await trio.sleep(0)
            assert not answered.is_set()
            mock_clock.jump(0.2)
            await answered.wait()
        assert len(api.broker.refused_logins) == 0


async def test_no_more_wait_than_of_all_protocols(mock_clock: MockClock) -> None:
    async with open_api(refused_login_delay_s=3.0, refused_logins_max=0) as api:
        assert (await api.ask("GET", "/whoami", auth=("guest", "wrong"))).status_code == 401
        assert len(api.broker.refused_logins) == 0


async def test_a_login_counts_at_once_what_has_changed(mock_clock: MockClock) -> None:
    async with open_api() as api:
        ann = api.user("ann", "administrator")
        assert (await api.ask("GET", "/users", auth=ann)).status_code == 200
        api.broker.users.set_tags("ann", ["management"])
        assert (await api.ask("GET", "/users", auth=ann)).status_code == 401
        api.broker.users.delete_user("ann")
        assert (await api.ask("GET", "/whoami", auth=ann)).status_code == 401


async def test_pages_of_other_sites() -> None:
    asked = {"origin": "https://console.example", "access-control-request-method": "PUT"}
    async with open_api() as api:
        response = await api.http.options("/api/whoami", headers=asked)
        assert "access-control-allow-origin" not in response.headers
    async with open_api(management_cors_allow_origins=("https://console.example",), management_cors_max_age_s=7) as api:
        response = await api.http.options("/api/whoami", headers=asked)
        assert response.headers["access-control-allow-origin"] == "https://console.example"
        assert response.headers["access-control-max-age"] == "7"
        assert "PUT" in response.headers["access-control-allow-methods"]
        response = await api.ask("GET", "/whoami", headers={"origin": "https://console.example"})
        assert response.headers["access-control-allow-origin"] == "https://console.example"
        response = await api.ask("GET", "/whoami", headers={"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in response.headers


async def test_a_page_of_another_site_changes_nothing() -> None:
    """Though the browser knows the password."""
    evil = {"origin": "https://evil.example", "content-type": "text/plain"}
    async with open_api() as api:
        response = await api.ask("PUT", "/queues/%2F/q", {}, headers=evil)
        assert "another site" in refusal(response, 403, "forbidden")
        response = await api.ask("POST", "/users/bulk-delete", {"users": []}, headers={"origin": "null"})
        assert refusal(response, 403, "forbidden")
        assert (await api.ask("GET", "/whoami", headers=evil)).status_code == 200, "the page can't read it"
        own = {"origin": f"http://127.0.0.1:{api.port}"}
        assert (await api.ask("PUT", "/queues/%2F/q", {}, headers=own)).status_code == 201
    async with open_api(management_cors_allow_origins=("https://evil.example",)) as api:
        assert (await api.ask("PUT", "/queues/%2F/q", {}, headers=evil)).status_code == 201
    async with open_api(management_cors_allow_origins=("*",)) as api:
        assert (await api.ask("PUT", "/queues/%2F/q", {}, headers=evil)).status_code == 201


async def test_a_shovel_reaches_no_further_than_who_sets_it() -> None:
    """Within the broker it would act as the broker, or as whoever its URI names, without a password."""
    async with open_api(plugins=("management", "shovel")) as api:
        await api.put("/vhosts/theirs", {})
        ann, root = api.user("ann", "policymaker"), api.user("root", "administrator")
        api.user("else", vhost="theirs")

        async def declare(source: str, destination: str = "amqp://far.example", auth: tuple[str, str] = ann) -> Any:
            value = {"src-uri": source, "src-queue": "q", "dest-uri": destination, "dest-queue": "q"}
            return await api.ask("PUT", "/parameters/shovel/%2F/s", {"value": value}, auth=auth)

        for uris in (["amqp:///theirs"], ["amqp://far.example", "amqp:///theirs"], [["amqp://", "amqp:///theirs"]]):
            reason = refusal(await declare(*uris), 401, "not_authorised")
            assert "reaches the virtual host 'theirs', which user 'ann' may not access" in reason
        reason = refusal(await declare("amqp://root@/%2F"), 401, "not_authorised")
        assert "acts in this broker as the user 'root'" in reason
        assert (await declare("amqp://")).status_code == 201, "ann may do everything here"
        assert (await declare("amqp:///theirs", auth=root)).status_code == 204
        api.broker.users.set_permissions("ann", "/", ".*", ".*", "mine")
        reason = refusal(await declare("amqp://"), 401, "not_authorised")
        assert "has to name the user, as in amqp://ann@/VHOST" in reason
        assert (await declare("amqp://ann@/%2F")).status_code == 204


@pytest.mark.parametrize(
    ("component", "name", "value"),
    [
        ("operator_policy", "p", {"pattern": "^q", "definition": {"max-length": 1}}),
        ("vhost-limits", "limits", {"max-queues": 1}),
    ],
)
async def test_what_administrators_alone_set_is_no_parameter_of_a_policymaker(
    component: str, name: str, value: object
) -> None:
    """Operator policies and limits have endpoints of their own; by the name of a parameter they take the same tag."""
    async with open_api() as api:
        ann, root = api.user("ann", "policymaker"), api.user("root", "administrator")
        path = f"/parameters/{component}/%2F/{name}"
        for method, body in (("PUT", {"value": value}), ("DELETE", None)):
            reason = refusal(await api.ask(method, path, body, auth=ann), 401, "not_authorised")
            assert "administrator" in reason
        assert (await api.ask("PUT", path, {"value": value}, auth=root)).status_code == 201
        refusal(await api.ask("DELETE", path, auth=ann), 401, "not_authorised")
        assert (await api.ask("DELETE", path, auth=root)).status_code == 204
