"""Replicas of quorum queues: one each, on the one node, as RabbitMQ answers there."""

from __future__ import annotations

from tests.plugins.management.api import open_api, refusal

QUEUE = "/queues/quorum/%2F/q"


async def test_a_queue_has_one_replica() -> None:
    async with open_api() as api:
        node = (await api.get("/overview"))["node"]
        await api.put("/queues/%2F/q", {"durable": True, "arguments": {"x-queue-type": "quorum"}})
        (row,) = await api.get(f"{QUEUE}/status")
        assert (row["Node Name"], row["Raft State"], row["Membership"], row["Term"]) == (node, "leader", "voter", "")
        assert (await api.ask("POST", f"{QUEUE}/replicas/add", {"node": node})).status_code == 204
        other = await api.ask("POST", f"{QUEUE}/replicas/add", {"node": "rabbit@other", "membership": "voter"})
        assert "node_not_running" in refusal(other, 400, "bad_request")
        last = await api.ask("DELETE", f"{QUEUE}/replicas/delete", {"node": node})
        assert "last_node" in refusal(last, 400, "bad_request")
        none = await api.ask("DELETE", f"{QUEUE}/replicas/delete", {"node": "rabbit@other"})
        assert (none.status_code, none.content) == (202, b"")
        assert len(await api.get(f"{QUEUE}/status")) == 1


async def test_a_node_grows_and_shrinks_by_nothing() -> None:
    async with open_api() as api:
        node = (await api.get("/overview"))["node"]
        await api.put("/queues/%2F/q", {"durable": True, "arguments": {"x-queue-type": "quorum"}})
        wanted = {"vhost_pattern": ".*", "queue_pattern": ".*", "strategy": "all"}
        on = f"/queues/quorum/replicas/on/{node}"
        assert (await api.ask("POST", f"{on}/grow", wanted)).status_code == 204
        assert (await api.ask("DELETE", f"{on}/shrink")).status_code == 202
        assert (await api.get("/queues/%2F/q"))["type"] == "quorum", "it is there"
        for changed, reason in (
            ({**wanted, "strategy": "most"}, "strategy"),
            ({**wanted, "membership": "guest"}, "membership"),
            ({"strategy": "all"}, "vhost_pattern"),
        ):
            assert reason in refusal(await api.ask("POST", f"{on}/grow", changed), 400, "bad_request")
        for method, path in (("POST", "grow"), ("DELETE", "shrink")):
            body = wanted if method == "POST" else None
            answer = await api.ask(method, f"/queues/quorum/replicas/on/rabbit@other/{path}", body)
            refusal(answer, 404, "Object Not Found")


async def test_a_queue_of_another_type_and_one_that_isnt_there() -> None:
    async with open_api() as api:
        node = (await api.get("/overview"))["node"]
        await api.put("/queues/%2F/q", {"durable": True})
        for method, path in (("GET", "status"), ("POST", "replicas/add"), ("DELETE", "replicas/delete")):
            body = {"node": node} if method != "GET" else None
            answer = await api.ask(method, f"{QUEUE}/{path}", body)
            assert "classic_queue_not_supported" in refusal(answer, 400, "bad_request")
            refusal(await api.ask(method, f"/queues/quorum/%2F/none/{path}", body), 404, "Object Not Found")
            if body is not None:
                assert "node" in refusal(await api.ask(method, f"{QUEUE}/{path}", {}), 400, "bad_request")
