"""POST /login, and counts of logins."""

from __future__ import annotations

import base64
from urllib.parse import urlencode

import pytest

from tests.plugins.management.api import GUEST, Api, open_api, refusal


async def test_a_login_gives_back_what_a_header_takes() -> None:
    async with open_api() as api:
        api.user("ann", "policymaker", "management")
        form = {"username": "ann", "password": "secret"}
        urlencoded = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
        for body, headers in ((urlencode(form).encode(), urlencoded), (b'{"username":"ann","password":"secret"}', {})):
            answer = await api.ask("POST", "/login", auth=None, content=body, headers=headers)
            assert answer.status_code == 200, answer.text
            found = answer.json()
            assert found["user"] == {"name": "ann", "tags": ["management", "policymaker"], "is_internal_user": True}
            assert found["token"] == {"type": "basic", "value": base64.b64encode(b"ann:secret").decode()}
            header = {"authorization": f"Basic {found['token']['value']}"}
            assert (await api.get("/whoami", auth=None, headers=header))["name"] == "ann"
            assert "set-cookie" not in answer.headers
        assert (await api.ask("DELETE", "/login", auth=None)).status_code == 204


async def test_whoever_isnt_let_in() -> None:
    async with open_api() as api:
        api.user("untagged")
        for name, password in (("guest", "wrong"), ("nobody", "x"), ("untagged", "secret"), ("guest", "")):
            given = {"username": name, "password": password}
            refusal(await api.ask("POST", "/login", given, auth=None), 401, "not_authorised")
        for body in (b"", b"{}", b"[", b'{"username": 5, "password": "x"}', b"\xff", b"[" * 100_000):
            answer = await api.ask("POST", "/login", auth=None, content=body)
            assert "username and password" in refusal(answer, 400, "bad_request")
        for text in ("username=guest", "username=guest&password=%ff", "&".join(["password=x"] * 20)):
            headers = {"content-type": "application/x-www-form-urlencoded"}
            answer = await api.ask("POST", "/login", auth=None, content=text, headers=headers)
            refusal(answer, 400, "bad_request")
        page = {"origin": "https://elsewhere.example"}
        given = {"username": "guest", "password": "guest"}
        refusal(await api.ask("POST", "/login", given, auth=None, headers=page), 403, "forbidden")


async def attempts(api: Api, *more: str) -> list[dict[str, object]]:
    node = (await api.get("/overview"))["node"]
    found: list[dict[str, object]] = await api.get("/".join(("/auth/attempts", node, *more)))
    return found


async def test_how_often_it_was_tried() -> None:
    async with open_api() as api:
        await api.ask("GET", "/overview", auth=("guest", "wrong"))
        (found,) = await attempts(api)
        assert found == {
            "protocol": "http",
            "auth_attempts": 3,
            "auth_attempts_failed": 1,
            "auth_attempts_succeeded": 2,
        }
        assert await attempts(api, "source") == [], "nobody asked for that"
        node = (await api.get("/overview"))["node"]
        assert (await api.ask("DELETE", f"/auth/attempts/{node}")).status_code == 204
        (found,) = await attempts(api)
        assert (found["auth_attempts"], found["auth_attempts_failed"]) == (2, 0)
        for method, path in (
            ("GET", "/auth/attempts/x"),
            ("DELETE", "/auth/attempts/x"),
            ("GET", "/auth/attempts/x/source"),
        ):
            refusal(await api.ask(method, path), 404, "Object Not Found")


@pytest.mark.parametrize("name", ["guest", "slash/name", "пользователь", "a" * 1000, "\N{SNOWMAN}\r\nset-cookie=x"])
async def test_by_who_tried(name: str) -> None:
    async with open_api(track_auth_attempt_source=True) as api:
        header = {"authorization": f"Basic {base64.b64encode(f'{name}:wrong'.encode()).decode()}"}
        await api.ask("GET", "/overview", auth=None, headers=header)
        found = {(each["username"], each["remote_address"]): each for each in await attempts(api, "source")}
        assert found[name[:255], "127.0.0.1"]["auth_attempts_failed"] == 1
        assert found[GUEST[0], "127.0.0.1"]["auth_attempts_succeeded"] == 2
        node = (await api.get("/overview"))["node"]
        assert (await api.ask("DELETE", f"/auth/attempts/{node}/source")).status_code == 204
        assert (name[:255] in {each["username"] for each in await attempts(api, "source")}) is (name == "guest")
