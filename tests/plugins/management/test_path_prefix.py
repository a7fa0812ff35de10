"""Page and API below a path of the operator's (`management_path_prefix`), and nothing beside it."""

from __future__ import annotations

import pytest
import trio

from tests.plugins.management.api import GUEST, open_api
from warren.adapters.websocket.page_files import FOLDER as LIVE_FOLDER
from warren.gateway.control.api_client import Api as Client
from warren.gateway.control.client import CommandFailedError
from warren.plugins.management.page_files import FOLDER
from warren.plugins.management.settings import path_prefix

PREFIXES = ("/mq", "/brokers/mq-1", "/api", "/live", "/api/api")


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_everything_is_below_it(prefix: str) -> None:
    async with open_api(management_path_prefix=prefix) as api:
        for address, index in (("/", FOLDER), ("/live/", LIVE_FOLDER)):
            page = await api.http.get(prefix + address)
            assert (page.status_code, page.text) == (200, (index / "index.html").read_text())
        policy = (await api.http.get(f"{prefix}/live/")).headers["content-security-policy"]
        assert "frame-ancestors 'self'" in policy, "the page shows it within itself"
        made = await api.http.put(f"{prefix}/api/queues/%2F/a%2Fb%25", json={}, auth=GUEST)
        assert (made.status_code, made.headers["location"]) == (201, f"{prefix}/api/queues/%2F/a%2Fb%25")
        found = await api.http.get(f"{made.headers['location']}/?columns=name", auth=GUEST)
        assert (found.status_code, found.json()) == (200, {"name": "a/b%"})
        document = (await api.http.get(f"{prefix}/api/openapi.json", auth=GUEST)).json()
        assert document["servers"] == [{"url": prefix}]
        assert "/api/overview" in document["paths"]
        refused = await api.http.put(f"{prefix}/api/overview", json={}, auth=GUEST)
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize("path", ["", "/live"])
async def test_a_slash_that_is_missing(path: str) -> None:
    async with open_api(management_path_prefix="/mq") as api:
        answer = await api.http.get(f"/mq{path}")
        assert (answer.status_code, answer.headers["location"]) == (308, f"/mq{path}/")


@pytest.mark.parametrize("path", ["/", "/live/", "/main.js", "/mqx/", "/mq/mq/", "/Mq/", "//mq/", "/mq//", "/%6Dq/"])
async def test_nothing_is_beside_it(path: str) -> None:
    async with open_api(management_path_prefix="/mq") as api:
        answer = await api.http.request("GET", api.http.base_url.copy_with(raw_path=path.encode()), auth=GUEST)
        assert answer.status_code == 404


@pytest.mark.parametrize("path", ["/api", "/api/overview", "/api/queues", "/mqapi/overview", "/mq/apis", "/api/mq/api"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
async def test_neither_is_the_api(path: str, method: str) -> None:
    async with open_api(management_path_prefix="/mq", management_cors_allow_origins=("*",)) as api:
        answer = await api.http.request(method, path, auth=GUEST)
        assert answer.status_code in ((404,) if method == "GET" else (404, 405))
        if path.startswith("/api"):
            assert answer.json() == {"error": "Object Not Found", "reason": f"there is nothing at {path}"}


async def test_other_sites_pages_may_ask_there() -> None:
    origin = "https://console.example"
    async with open_api(management_path_prefix="/mq", management_cors_allow_origins=(origin,)) as api:
        headers = {"origin": origin, "access-control-request-method": "PUT"}
        asked = await api.http.options("/mq/api/queues/%2F/q", headers=headers)
        assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, origin)


async def test_words_over_http() -> None:
    async with open_api(management_path_prefix="/mq") as api:

        def ask(path: str) -> object:
            url = f"http://guest:guest@127.0.0.1:{api.port}{path}"
            return Client.at(url).request("list_vhosts", ("name",), timeout_s=30)["rows"]

        assert await trio.to_thread.run_sync(ask, "/mq/") == [{"name": "/"}]
        with pytest.raises(CommandFailedError, match="there is nothing at /api/control"):
            await trio.to_thread.run_sync(ask, "")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("", ""),
        ("/", ""),
        ("mq", "/mq"),
        ("/mq", "/mq"),
        ("/mq/", "/mq"),
        ("/a.b/c_~-9/", "/a.b/c_~-9"),
        ("/...", "/..."),
    ],
)
def test_what_may_be_written(given: str, wanted: str) -> None:
    assert path_prefix(given) == wanted


@pytest.mark.parametrize(
    "given",
    ["//", "/a//b", "/a/..", "/./a", "..", "/a b", "/a%2Fb", "/ü", "/a?b", "/a#b", "/a\r\nx: y", "/a\n", 5, None],
)
def test_what_may_not(given: object) -> None:
    with pytest.raises(ValueError, match="a path such as /mq"):
        path_prefix(given)
