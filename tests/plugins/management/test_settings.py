"""Policies, parameters, limits, definitions, the cluster's name."""

from __future__ import annotations

from tests.plugins.management.api import open_api, refusal


async def test_policies() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/q1", {})
        body = {"pattern": "^q", "definition": {"max-length": 7}, "priority": "3", "apply-to": "queues"}
        await api.put("/policies/%2F/short", body)
        await api.put("/policies/%2F/short", body, 204)
        found = await api.get("/policies/%2F/short")
        assert found == {**body, "priority": 3, "vhost": "/", "name": "short"}
        assert await api.get("/policies") == await api.get("/policies/%2F") == [found]
        queue = await api.get("/queues/%2F/q1")
        assert (queue["policy"], queue["effective_policy_definition"]) == ("short", {"max-length": 7})
        await api.put("/operator-policies/%2F/shorter", {"pattern": "", "definition": {"max-length": 5}})
        assert (await api.get("/queues/%2F/q1"))["effective_policy_definition"] == {"max-length": 5}
        assert [each["name"] for each in await api.get("/operator-policies/%2F")] == ["shorter"]
        assert (await api.get("/operator-policies/%2F/shorter"))["definition"] == {"max-length": 5}
        for kind in ("policies/%2F/short", "operator-policies/%2F/shorter"):
            assert (await api.ask("DELETE", f"/{kind}")).status_code == 204
            refusal(await api.ask("DELETE", f"/{kind}"), 404, "Object Not Found")
            refusal(await api.ask("GET", f"/{kind}"), 404, "Object Not Found")


async def test_what_is_no_policy() -> None:
    async with open_api() as api:
        for body in (
            {"pattern": "(", "definition": {"max-length": 7}},
            {"pattern": "a", "definition": {}},
            {"pattern": "a", "definition": {"max-lenght": 7}},
            {"pattern": "a", "definition": {"max-length": "many"}},
            {"pattern": "a", "definition": {"max-length": 7}, "apply-to": "cats"},
            {"definition": {"max-length": 7}},
            {"pattern": "a"},
            {"pattern": "a", "definition": [1]},
        ):
            assert refusal(await api.ask("PUT", "/policies/%2F/p", body), 400, "bad_request")
        assert await api.get("/policies") == []


async def test_parameters() -> None:
    async with open_api(plugins=("management", "shovel")) as api:
        value = {"src-uri": "amqp://", "src-queue": "a", "dest-uri": "amqp://", "dest-queue": "b"}
        await api.put("/parameters/shovel/%2F/mover", {"value": value})
        await api.put("/parameters/shovel/%2F/mover", {"value": value}, 204)
        found = {"vhost": "/", "component": "shovel", "name": "mover", "value": value}
        assert await api.get("/parameters/shovel/%2F/mover") == found
        for path in ("/parameters", "/parameters/shovel", "/parameters/shovel/%2F"):
            assert await api.get(path) == [found]
        refusal(await api.ask("PUT", "/parameters/shovel/%2F/bad", {"value": {}}), 400, "bad_request")
        refusal(await api.ask("PUT", "/parameters/nobody/%2F/x", {"value": 1}), 400, "bad_request")
        refusal(await api.ask("PUT", "/parameters/shovel/%2F/x", {}), 400, "bad_request")
        assert [each["name"] for each in await api.get("/shovels")] == ["mover"]
        assert [each["vhost"] for each in await api.get("/shovels/%2F")] == ["/"]
        assert (await api.ask("DELETE", "/parameters/shovel/%2F/mover")).status_code == 204
        refusal(await api.ask("DELETE", "/parameters/shovel/%2F/mover"), 404, "Object Not Found")
        refusal(await api.ask("GET", "/parameters/shovel/%2F/mover"), 404, "Object Not Found")


async def test_global_parameters_and_the_name_of_the_cluster() -> None:
    async with open_api() as api:
        before = (await api.get("/cluster-name"))["name"]
        assert before.startswith("warren@")
        await api.put("/global-parameters/mqtt_default_vhosts", {"value": {"O": "/"}})
        assert await api.get("/global-parameters/mqtt_default_vhosts") == {
            "name": "mqtt_default_vhosts",
            "value": {"O": "/"},
        }
        await api.put("/global-parameters/mqtt_default_vhosts", {"value": 5}, 204)
        assert (await api.ask("DELETE", "/global-parameters/mqtt_default_vhosts")).status_code == 204
        refusal(await api.ask("GET", "/global-parameters/mqtt_default_vhosts"), 404, "Object Not Found")
        await api.put("/cluster-name", {"name": "plant"}, 204)
        assert (await api.get("/cluster-name"))["name"] == (await api.get("/overview"))["cluster_name"] == "plant"
        assert await api.get("/global-parameters") == [{"name": "cluster_name", "value": "plant"}]


async def test_limits() -> None:
    async with open_api() as api:
        api.user("ann")
        for path, value in (
            ("/vhost-limits/%2F/max-queues", {"value": 1}),
            ("/vhost-limits/%2F/max-connections", {"value": "10"}),
            ("/user-limits/ann/max-channels", {"value": 3}),
        ):
            await api.put(path, value, 204)
        assert await api.get("/vhost-limits") == [{"vhost": "/", "value": {"max-queues": 1, "max-connections": 10}}]
        assert await api.get("/user-limits/ann") == await api.get("/user-limits")
        assert await api.get("/user-limits/ann") == [{"user": "ann", "value": {"max-channels": 3}}]
        await api.put("/queues/%2F/one", {})
        assert "limit" in refusal(await api.ask("PUT", "/queues/%2F/two", {}), 400, "bad_request")
        assert (await api.ask("DELETE", "/vhost-limits/%2F/max-queues")).status_code == 204
        assert await api.get("/vhost-limits/%2F") == [{"vhost": "/", "value": {"max-connections": 10}}]
        await api.put("/queues/%2F/two", {})
        assert (await api.ask("DELETE", "/vhost-limits/%2F/max-connections")).status_code == 204
        assert await api.get("/vhost-limits/%2F") == []
        assert (await api.ask("DELETE", "/user-limits/ann/max-channels")).status_code == 204
        assert await api.get("/user-limits/ann") == []
        refusal(await api.ask("PUT", "/vhost-limits/%2F/max-cats", {"value": 1}), 400, "bad_request")
        refusal(await api.ask("PUT", "/user-limits/bob/max-channels", {"value": 1}), 404, "Object Not Found")
        refusal(await api.ask("PUT", "/vhost-limits/%2F/max-queues", {"value": "many"}), 400, "bad_request")


async def test_definitions_go_out_and_come_in() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/q", {"arguments": {"x-max-length": 5}})
        await api.put("/operator-policies/%2F/op", {"pattern": "", "definition": {"max-length": 9}})
        everything = await api.get("/definitions")
        assert [each["name"] for each in everything["queues"]] == ["q"]
        of_vhost = await api.get("/definitions/%2F")
        assert "users" not in of_vhost
        async with open_api() as other:
            assert (await other.ask("POST", "/definitions", everything)).status_code == 204
            assert (await other.get("/queues/%2F/q"))["arguments"] == {"x-max-length": 5}
            assert await other.get("/operator-policies") == await api.get("/operator-policies")
            await other.put("/vhosts/plant", {})
            assert (await other.ask("POST", "/definitions/plant", of_vhost)).status_code == 204
            assert (await other.get("/queues/plant/q"))["vhost"] == "plant"


async def test_definitions_are_taken_as_a_whole_or_not() -> None:
    async with open_api() as api:
        bad = {"queues": [{"name": "one", "vhost": "/", "durable": True}, {"name": "two", "vhost": "nowhere"}]}
        assert "nowhere" in refusal(await api.ask("POST", "/definitions", bad), 400, "bad_request")
        assert await api.get("/queues") == []
        for content in (b"[]", b"{", b"\xff"):
            response = await api.ask("POST", "/definitions", content=content)
            assert refusal(response, 400, "bad_request")
        refusal(await api.ask("POST", "/definitions/nowhere", {}), 404, "Object Not Found")
