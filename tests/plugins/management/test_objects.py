"""Virtual hosts, users, permissions, exchanges, queues, bindings: made, looked at, changed, deleted."""

from __future__ import annotations

from tests.plugins.management.api import Api, open_api, refusal

NAMES = {
    "slash": ("a/b", "a%2Fb"),
    "percent": ("100%", "100%25"),
    "encoded": ("a%2Fb", "a%252Fb"),
    "unicode": ("größe 🐇", "gr%C3%B6%C3%9Fe%20%F0%9F%90%87"),
    "dots": ("..", "%2E%2E"),
    "question": ("a?b#c", "a%3Fb%23c"),
    "plus": ("a+b", "a+b"),
}


async def test_a_queue_from_its_declaration_to_its_end() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/orders", {"durable": True, "arguments": {"x-max-length": 5}})
        await api.put("/queues/%2F/orders", {"durable": True, "arguments": {"x-max-length": 5}}, 204)
        found = await api.get("/queues/%2F/orders")
        assert (found["name"], found["vhost"], found["type"], found["durable"]) == ("orders", "/", "classic", True)
        assert found["arguments"] == {"x-max-length": 5}
        assert (found["messages"], found["consumers"], found["consumer_details"]) == (0, 0, [])
        response = await api.ask("PUT", "/queues/%2F/orders", {"durable": True, "arguments": {"x-max-length": 6}})
        assert "inequivalent arg 'x-max-length'" in refusal(response, 400, "bad_request")
        assert (await api.ask("DELETE", "/queues/%2F/orders")).status_code == 204
        assert "no queue 'orders'" in refusal(await api.ask("DELETE", "/queues/%2F/orders"), 404, "Object Not Found")
        assert (await api.ask("GET", "/queues/%2F/orders")).status_code == 404


async def test_an_empty_body_declares_with_defaults() -> None:
    async with open_api() as api:
        for path in ("/queues/%2F/q", "/exchanges/%2F/x", "/vhosts/v"):
            assert (await api.ask("PUT", path)).status_code == 201
            assert (await api.ask("PUT", path)).status_code == 204
        assert (await api.get("/exchanges/%2F/x"))["type"] == "direct"


async def test_names_of_every_sort() -> None:
    """What a path says once encoded is the name, decoded once; a listing says it as it is."""
    async with open_api() as api:
        for name, encoded in NAMES.values():
            await api.put(f"/vhosts/{encoded}", {})
            await api.put(f"/queues/{encoded}/{encoded}", {})
            await api.put(f"/exchanges/{encoded}/{encoded}", {"type": "topic"})
            await api.put(f"/users/{encoded}", {"password": "p", "tags": ""})
            await api.put(f"/permissions/{encoded}/{encoded}", {"configure": "", "write": "", "read": ""})
            await api.put(f"/policies/{encoded}/{encoded}", {"pattern": "^q", "definition": {"max-length": 1}})
            bind = f"/bindings/{encoded}/e/{encoded}/q/{encoded}"
            made = await api.ask("POST", bind, {"routing_key": name})
            assert made.status_code == 201
            found = (await api.http.get(made.headers["location"], auth=("guest", "guest"))).json()
            assert (found["routing_key"], found["vhost"], found["destination"]) == (name, name, name)
            assert (await api.get(f"/queues/{encoded}/{encoded}"))["name"] == name
            assert (await api.get(f"/users/{encoded}"))["name"] == name
            assert [each["name"] for each in await api.get(f"/queues/{encoded}")] == [name]
            removed = await api.http.delete(made.headers["location"], auth=("guest", "guest"))
            assert removed.status_code == 204
            assert [each["source"] for each in await api.get(f"/queues/{encoded}/{encoded}/bindings")] == [""]
            assert (await api.ask("DELETE", f"/vhosts/{encoded}")).status_code == 204
            assert (await api.ask("DELETE", f"/users/{encoded}")).status_code == 204
        assert list(api.broker.vhosts) == ["/"]
        assert [user.name for user in api.broker.users] == ["guest"]


async def test_deleting_under_conditions() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/q", {})
        message = {"routing_key": "q", "payload": "hello", "payload_encoding": "string", "properties": {}}
        await api.ask("POST", "/exchanges/%2F/amq.default/publish", message)
        response = await api.ask("DELETE", "/queues/%2F/q?if-empty=true")
        assert "not empty" in refusal(response, 400, "bad_request")
        assert (await api.ask("DELETE", "/queues/%2F/q/contents")).status_code == 204
        assert (await api.get("/queues/%2F/q"))["messages"] == 0
        async with api.embedded.connect() as client, client.consume("q"):
            response = await api.ask("DELETE", "/queues/%2F/q?if-unused=true")
            assert "in use" in refusal(response, 400, "bad_request")
            (consumer,) = (await api.get("/queues/%2F/q"))["consumer_details"]
            assert consumer["queue"] == {"name": "q", "vhost": "/"}
        assert (await api.ask("DELETE", "/queues/%2F/q?if-unused=true&if-empty=true")).status_code == 204
        await api.put("/exchanges/%2F/x", {"type": "fanout"})
        await api.put("/queues/%2F/q", {})
        await api.ask("POST", "/bindings/%2F/e/x/q/q", {})
        assert (await api.ask("DELETE", "/exchanges/%2F/x?if-unused=true")).status_code == 400
        response = await api.ask("DELETE", "/exchanges/%2F/x?if-unused=maybe")
        assert "if-unused must be true or false" in refusal(response, 400, "bad_request")


async def test_exchanges() -> None:
    async with open_api() as api:
        await api.put("/exchanges/%2F/x", {"type": "topic", "internal": True, "arguments": {"alternate-exchange": "y"}})
        found = await api.get("/exchanges/%2F/x")
        assert (found["type"], found["internal"], found["arguments"]) == ("topic", True, {"alternate-exchange": "y"})
        assert (await api.get("/exchanges/%2F/amq.default"))["name"] == ""
        assert {each["name"] for each in await api.get("/exchanges/%2F")} >= {"", "amq.topic", "x"}
        refusal(await api.ask("DELETE", "/exchanges/%2F/amq.topic"), 401, "not_authorised")
        response = await api.ask("PUT", "/exchanges/%2F/z", {"type": "round"})
        assert "round" in refusal(response, 400, "bad_request")


async def test_bindings_between_exchanges_and_with_arguments() -> None:
    async with open_api() as api:
        await api.put("/exchanges/%2F/from", {"type": "headers"})
        await api.put("/exchanges/%2F/to", {"type": "fanout"})
        made = await api.ask("POST", "/bindings/%2F/e/from/e/to", {"routing_key": "k", "arguments": {"x-match": "all"}})
        (found,) = await api.get("/bindings/%2F/e/from/e/to")
        assert made.headers["location"] == "/api/bindings/%2F/e/from/e/to/" + found["properties_key"].replace("~", "~")
        assert found["arguments"] == {"x-match": "all"}
        assert await api.get("/exchanges/%2F/from/bindings/source") == [found]
        assert await api.get("/exchanges/%2F/to/bindings/destination") == [found]
        assert found in await api.get("/bindings")
        refusal(await api.ask("GET", "/bindings/%2F/e/from/e/to/nothing"), 404, "Object Not Found")
        refusal(await api.ask("GET", "/bindings/%2F/e/from/e/nobody"), 404, "Object Not Found")
        assert (await api.ask("DELETE", f"/bindings/%2F/e/from/e/to/{found['properties_key']}")).status_code == 204
        assert await api.get("/bindings/%2F/e/from/e/to") == []


async def test_virtual_hosts() -> None:
    async with open_api() as api:
        await api.put("/vhosts/plant", {"description": "a plant", "tags": "one, two", "default_queue_type": "quorum"})
        found = await api.get("/vhosts/plant")
        assert (found["description"], found["tags"], found["default_queue_type"]) == (
            "a plant",
            ["one", "two"],
            "quorum",
        )
        assert not found["tracing"]
        await api.put("/vhosts/plant", {"description": "another", "tracing": True}, 204)
        found = await api.get("/vhosts/plant")
        assert (found["description"], found["tags"], found["tracing"]) == ("another", ["one", "two"], True)
        await api.put("/queues/plant/q", {"durable": True})
        assert (await api.get("/queues/plant/q"))["type"] == "quorum"
        await api.put("/vhosts/plant", {"protected_from_deletion": True}, 204)
        assert (await api.get("/vhosts/plant"))["protected_from_deletion"] is True
        assert "is protected" in refusal(await api.ask("DELETE", "/vhosts/plant"), 412, "bad_request")
        assert (await api.ask("DELETE", "/vhosts/plant/deletion/protection")).status_code == 204
        assert (await api.ask("POST", "/vhosts/plant/deletion/protection")).status_code == 204
        assert (await api.ask("DELETE", "/vhosts/plant")).status_code == 412
        assert (await api.ask("DELETE", "/vhosts/plant/deletion/protection")).status_code == 204
        assert (await api.ask("DELETE", "/vhosts/plant")).status_code == 204
        refusal(await api.ask("DELETE", "/vhosts/plant"), 404, "Object Not Found")
        refusal(await api.ask("GET", "/queues/plant"), 404, "Object Not Found")


async def test_users() -> None:
    async with open_api() as api:
        await api.put("/users/ann", {"password": "secret", "tags": "management, policymaker"})
        found = await api.get("/users/ann")
        assert found["tags"] == ["management", "policymaker"]
        whoami = await api.get("/whoami", auth=("ann", "secret"))
        assert whoami == {"name": "ann", "tags": ["management", "policymaker"], "is_internal_user": True}
        assert [each["name"] for each in await api.get("/users/without-permissions")] == ["ann"]
        await api.put("/users/ann", {"password": "another", "tags": ["monitoring"]}, 204)
        assert (await api.ask("GET", "/whoami", auth=("ann", "secret"))).status_code == 401
        assert (await api.get("/whoami", auth=("ann", "another")))["tags"] == ["monitoring"]
        copied = {name: found[name] for name in ("password_hash", "hashing_algorithm", "tags")}
        await api.put("/users/copy", copied)
        assert (await api.ask("GET", "/whoami", auth=("copy", "secret"))).status_code == 200
        await api.put("/users/nobody", {"password_hash": "", "tags": ""})
        assert (await api.ask("GET", "/whoami", auth=("nobody", ""))).status_code == 401
        response = await api.ask("POST", "/users/bulk-delete", {"users": ["ann", "copy", "gone"]})
        assert "'gone' does not exist, so nobody was deleted" in refusal(response, 400, "bad_request")
        assert len(await api.get("/users")) == 4
        assert (await api.ask("POST", "/users/bulk-delete", {"users": ["ann", "copy"]})).status_code == 204
        assert {each["name"] for each in await api.get("/users")} == {"guest", "nobody"}


async def test_what_is_no_user() -> None:
    async with open_api() as api:
        for body, reason in (
            ({"password": "p"}, "tags are missing"),
            ({"password": "", "tags": ""}, "blank"),
            ({"password": "p", "password_hash": "h", "tags": ""}, "both password and password_hash"),
            ({"password_hash": "not base64!", "tags": ""}, "hash"),
            ({"password": 5, "tags": []}, "`$.password`"),
        ):
            response = await api.ask("PUT", "/users/ann", body)
            assert reason in refusal(response, 400, "bad_request"), body
        refusal(await api.ask("DELETE", "/users/ann"), 404, "Object Not Found")


async def test_somebody_stays_an_administrator() -> None:
    async with open_api() as api:
        for method, path, body in (
            ("DELETE", "/users/guest", None),
            ("PUT", "/users/guest", {"password": "p", "tags": "monitoring"}),
            ("POST", "/users/bulk-delete", {"users": ["guest"]}),
        ):
            reason = refusal(await api.ask(method, path, body), 400, "bad_request")
            assert "no administrator would be left without 'guest'" in reason
        await api.put("/users/root", {"password": "p", "tags": "administrator"})
        assert (await api.ask("DELETE", "/users/guest", auth=("root", "p"))).status_code == 204
        assert (await api.ask("DELETE", "/users/root?force=true", auth=("root", "p"))).status_code == 204


async def test_permissions() -> None:
    async with open_api() as api:
        api.user("ann", vhost=None)
        await api.put("/permissions/%2F/ann", {"configure": "^a", "write": ".*", "read": ""})
        await api.put("/permissions/%2F/ann", {"configure": "^b", "write": ".*", "read": ""}, 204)
        wanted = {"user": "ann", "vhost": "/", "configure": "^b", "write": ".*", "read": ""}
        assert await api.get("/permissions/%2F/ann") == wanted
        assert wanted in await api.get("/permissions")
        assert wanted in await api.get("/vhosts/%2F/permissions")
        assert await api.get("/users/ann/permissions") == [wanted]
        response = await api.ask("PUT", "/permissions/%2F/ann", {"configure": "(", "write": "", "read": ""})
        refusal(response, 400, "bad_request")
        refusal(await api.ask("PUT", "/permissions/%2F/ann", {"configure": ""}), 400, "bad_request")
        refusal(
            await api.ask("PUT", "/permissions/%2F/bob", {"configure": "", "write": "", "read": ""}),
            404,
            "Object Not Found",
        )
        assert (await api.ask("DELETE", "/permissions/%2F/ann")).status_code == 204
        refusal(await api.ask("DELETE", "/permissions/%2F/ann"), 404, "Object Not Found")
        refusal(await api.ask("GET", "/permissions/%2F/ann"), 404, "Object Not Found")


async def test_topic_permissions() -> None:
    async with open_api() as api:
        api.user("ann")
        await api.put("/topic-permissions/%2F/ann", {"exchange": "amq.topic", "write": "^a", "read": "^b"})
        wanted = {"user": "ann", "vhost": "/", "exchange": "amq.topic", "write": "^a", "read": "^b"}
        for path in ("/topic-permissions", "/topic-permissions/%2F/ann", "/vhosts/%2F/topic-permissions"):
            assert await api.get(path) == [wanted]
        assert await api.get("/users/ann/topic-permissions") == [wanted]
        assert (await api.ask("DELETE", "/topic-permissions/%2F/ann/amq.topic")).status_code == 204
        refusal(await api.ask("DELETE", "/topic-permissions/%2F/ann"), 404, "Object Not Found")


async def test_declaring_takes_the_users_permissions() -> None:
    """As over AMQP: tags alone make no queue."""
    async with open_api() as api:
        ann = api.user("ann", "management")
        api.broker.users.set_permissions("ann", "/", "^mine", ".*", ".*")
        assert (await api.ask("PUT", "/queues/%2F/mine", {}, auth=ann)).status_code == 201
        reason = refusal(await api.ask("PUT", "/queues/%2F/yours", {}, auth=ann), 401, "not_authorised")
        assert reason.startswith("ACCESS_REFUSED - configure access to queue 'yours'")
        await make_yours(api)
        for method, path in (("DELETE", "/queues/%2F/yours"), ("PUT", "/exchanges/%2F/yours")):
            refusal(await api.ask(method, path, {} if method == "PUT" else None, auth=ann), 401, "not_authorised")
        assert (await api.ask("DELETE", "/queues/%2F/mine", auth=ann)).status_code == 204


async def make_yours(api: Api) -> None:
    await api.put("/queues/%2F/yours", {})
