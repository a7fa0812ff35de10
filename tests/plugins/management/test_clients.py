"""Calls as known clients make them (docs/spec/J): KEDA's scaler, Terraform's provider, monitoring checks."""

from __future__ import annotations

import pytest

from tests.plugins.management.api import open_api, refusal

KEDA = "/queues/%2F?page=1&use_regex=true&pagination=false&name=%5E{}%24&page_size=100"


async def test_keda_reads_lengths_and_rates_from_the_first_moment_on() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/jobs", {"durable": True})
        found = await api.get(KEDA.format("jobs"))
        assert isinstance(found["page_count"], int)
        (queue,) = found["items"]
        assert (queue["name"], queue["messages"], queue["messages_unacknowledged"]) == ("jobs", 0, 0)
        assert all(type(queue[name]) is int for name in ("messages", "messages_ready", "messages_unacknowledged"))
        assert type(queue["message_stats"]["publish_details"]["rate"]) is float
        assert (await api.get(KEDA.format("nothing")))["items"] == []
        alone = await api.get("/queues/%2f/jobs")
        assert type(alone["messages"]) is int


async def test_keda_writes_a_space_as_a_plus() -> None:
    """Within a path a plus is a plus, as in RabbitMQ; behind the ? it is a space."""
    async with open_api() as api:
        await api.put("/queues/%2F/a%20b", {})
        assert (await api.get("/queues/%2F?page=1&name=a+b"))["items"][0]["name"] == "a b"
        refusal(await api.ask("GET", "/queues/%2F/a+b"), 404, "Object Not Found")


async def test_terraform_puts_and_reads_back_the_same() -> None:
    """Its provider compares what comes back with what it has sent, types included."""
    async with open_api() as api:
        policy = {
            "pattern": "^jobs",
            "definition": {"max-length": 5, "message-ttl": 1000, "dead-letter-exchange": "dead"},
            "priority": 3,
            "apply-to": "queues",
        }
        await api.put("/policies/%2F/limits", policy)
        found = await api.get("/policies/%2F/limits")
        assert {name: found[name] for name in policy} == policy
        assert all(type(found["definition"][name]) is int for name in ("max-length", "message-ttl"))
        await api.put("/policies/%2F/limits", policy, 204)
        arguments = {"x-max-length": 7, "x-overflow": "reject-publish", "x-single-active-consumer": True}
        await api.put("/queues/%2F/jobs", {"durable": True, "auto_delete": False, "arguments": arguments})
        queue = await api.get("/queues/%2F/jobs")
        assert (queue["durable"], queue["auto_delete"], queue["arguments"]) == (True, False, arguments)
        await api.put("/exchanges/%2F/work", {"type": "topic", "durable": True, "auto_delete": False, "arguments": {}})
        response = await api.ask("POST", "/bindings/%2F/e/work/q/jobs", {"routing_key": "#", "arguments": {"n": 1}})
        assert response.status_code == 201
        location = response.headers["location"]
        bindings = await api.get("/bindings/%2F/e/work/q/jobs")
        assert bindings[0]["arguments"] == {"n": 1}
        assert location.rpartition("/")[2]
        await api.put("/users/ann", {"password": "secret", "tags": "management,policymaker"})
        assert (await api.get("/users/ann"))["tags"] == ["management", "policymaker"]
        await api.put("/vhosts/plant", {"description": "d", "default_queue_type": "quorum"})
        plant = await api.get("/vhosts/plant")
        assert (plant["description"], plant["default_queue_type"]) == ("d", "quorum")
        rights = {"configure": "^a", "write": "", "read": ".*"}
        await api.put("/permissions/plant/ann", rights)
        assert {name: (await api.get("/permissions/plant/ann"))[name] for name in rights} == rights
        for path in ("/policies/%2F/limits", "/queues/%2F/jobs", "/exchanges/%2F/work", "/users/ann", "/vhosts/plant"):
            assert (await api.ask("DELETE", path)).status_code == 204
            assert (await api.ask("GET", path)).status_code == 404
            assert (await api.ask("DELETE", path)).status_code == 404


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/nodes", {"fd_used": int, "fd_total": int, "mem_used": int, "mem_limit": int, "running": bool}),
        (
            "/nodes",
            {"partitions": list, "sockets_used": int, "sockets_total": int, "proc_used": int, "proc_total": int},
        ),
        ("/overview", {"message_stats": dict, "queue_totals": dict, "object_totals": dict, "listeners": list}),
        ("/whoami", {"tags": list, "name": str}),
        ("/health/checks/alarms", {"status": str}),
        ("/aliveness-test/%2F", {"status": str}),
    ],
)
async def test_checks_of_monitoring_find_their_fields(path: str, names: dict[str, type]) -> None:
    async with open_api() as api:
        found = await api.get(path)
        for name, kind in names.items():
            assert type((found[0] if isinstance(found, list) else found)[name]) is kind, name


async def test_an_empty_broker_has_totals_of_nothing() -> None:
    async with open_api() as api:
        totals = (await api.get("/overview"))["queue_totals"]
        assert (totals["messages"], totals["messages_ready"], totals["messages_unacknowledged"]) == (0, 0, 0)
        assert await api.get("/federation-links") == []


async def test_many_polls_on_a_connection_leave_nothing() -> None:
    async with open_api() as api:
        for _ in range(200):
            await api.get("/overview?columns=node")
        (plugin,) = [each for each in await api.get("/plugins") if each["name"] == "management"]
        assert (plugin["counters"]["connections"], plugin["counters"]["connections_served"]) == (1, 1)
