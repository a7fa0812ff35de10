"""GET /api/doctor."""

from __future__ import annotations

import trio

from tests.plugins.management.api import open_api, refusal
from warren.core.declaring.queues import create_queue


async def test_what_is_wrong() -> None:
    async with open_api() as api:
        create_queue(api.broker.vhosts["/"], "passing")
        found = await api.get("/doctor", params={"watch": 0, "patience": 0})
        assert found["healthy"] is True
        assert [each["code"] for each in found["findings"]] == ["default-password-on-loopback", "transient-queue"]
        assert found["findings"][1]["places"][0]["name"] == "passing"
        assert found["looked_at"]["listeners"] == 1
        found = await api.get("/doctor", params={"watch": 0, "vhost": "/"})
        assert [each["code"] for each in found["findings"]] == ["transient-queue"]


async def test_two_looks() -> None:
    async with open_api() as api:
        with trio.fail_after(60):
            found = await api.get("/doctor", params={"watch": 0.5})
        assert found["seconds"] >= 0.4


async def test_who_may_ask_for_what() -> None:
    async with open_api() as api:
        anne = api.user("anne", "monitoring")
        refusal(await api.ask("GET", "/doctor?watch=0", auth=anne), 401, "not_authorised")
        for query in ("watch=soon", "watch=31", "watch=-1", "patience=nan", "patience=100000"):
            assert "seconds, not" in refusal(await api.ask("GET", f"/doctor?{query}"), 400, "bad_request")
        refusal(await api.ask("GET", "/doctor?watch=0&vhost=none"), 404, "Object Not Found")
