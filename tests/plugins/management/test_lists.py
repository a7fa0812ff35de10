"""Lists: columns, sorting, pages, names; rates; what is known by a tag."""

from __future__ import annotations

from tests.plugins.management.api import Api, open_api, refusal


async def with_queues(api: Api, *names: str) -> None:
    for name in names:
        await api.put(f"/queues/%2F/{name}", {})


async def names(api: Api, query: str) -> list[str]:
    found = await api.get(f"/queues?{query}")
    return [each["name"] for each in (found["items"] if isinstance(found, dict) else found)]


async def test_columns() -> None:
    async with open_api() as api:
        await with_queues(api, "a")
        (found,) = await api.get(
            "/queues?columns=name,message_stats.publish,message_stats.publish_details.rate,nothing"
        )
        assert found == {"name": "a", "message_stats": {"publish": 0, "publish_details": {"rate": 0.0}}}
        assert await api.get("/queues/%2F/a?columns=vhost,arguments.x") == {"vhost": "/", "arguments": {}}
        assert (await api.get("/queues?columns=name&page=1"))["items"] == [{"name": "a"}]


async def test_sorting() -> None:
    async with open_api() as api:
        await with_queues(api, "b", "a", "c")
        async with api.embedded.connect() as client:
            await client.publish("", "b", b"x")
        assert await names(api, "sort=name") == ["a", "b", "c"]
        assert await names(api, "sort=name&sort_reverse=true") == ["c", "b", "a"]
        assert (await names(api, "sort=messages&sort_reverse=true"))[0] == "b"
        assert (await names(api, "sort=message_stats.publish&sort_reverse=true"))[0] == "b"
        assert len(await names(api, "sort=message_stats.publish_details.rate")) == 3
        assert len(await names(api, "sort=nothing")) == 3


async def test_pages() -> None:
    async with open_api() as api:
        await with_queues(api, *"abcde")
        found = await api.get("/queues?page=2&page_size=2&sort=name")
        assert [each["name"] for each in found.pop("items")] == ["c", "d"]
        assert found == {
            "filtered_count": 5,
            "item_count": 2,
            "page": 2,
            "page_count": 3,
            "page_size": 2,
            "total_count": 5,
        }
        await api.put("/policies/%2F/p", {"pattern": "^a", "definition": {"max-length": 7}})
        await api.put("/vhosts/other", {})
        for path, total in (
            ("/policies/%2F", 1),
            ("/policies/other", 0),
            ("/parameters/policy", 0),
            ("/parameters", 0),
        ):
            found = await api.get(f"{path}?page=1")
            assert (found["total_count"], found["filtered_count"], len(found["items"])) == (total, total, total), path
        assert await names(api, "page=1&name=^[ab]$&use_regex=true&pagination=false") == ["a", "b"]
        assert await names(api, "page=1&name=B") == ["b"], "part of a name, in whatever case"
        assert await names(api, "name=c") == ["c"]
        assert (await api.get("/queues/%2F?page=1&name=nobody"))["items"] == []
        assert (await api.get("/vhosts?page=1"))["items"][0]["name"] == "/"


async def test_pages_that_are_none() -> None:
    async with open_api() as api:
        refusal(await api.ask("GET", "/queues?page=2"), 400, "page_out_of_range")
        for query in ("page=0", "page=1&page_size=501", "page=1&page_size=0"):
            refusal(await api.ask("GET", f"/queues?{query}"), 400, "invalid_pagination_parameters")
        for query in ("page=x", "page=-1", "page=1&page_size=9e9"):
            refusal(await api.ask("GET", f"/queues?{query}"), 400, "bad_request")
        for pattern in ("(a", "*", "[a", "(?P<"):
            response = await api.ask("GET", "/queues", params={"name": pattern, "use_regex": "true", "page": "1"})
            assert "is no regular expression" in refusal(response, 400, "bad_request")


async def test_counts_have_rates_that_are_numbers() -> None:
    async with open_api() as api:
        await with_queues(api, "q")
        found = (await api.get("/queues/%2F/q"))["message_stats"]
        assert (found["publish"], found["publish_details"]) == (0, {"rate": 0.0})
        async with api.embedded.connect() as client:
            await client.publish("", "q", b"x")
        assert (await api.get("/queues/%2F/q"))["message_stats"]["publish"] == 1
        overview = await api.get("/overview")
        assert overview["message_stats"]["publish"] == 1
        assert overview["queue_totals"]["messages"] == 1
        assert overview["object_totals"]["queues"] == 1


async def test_a_client_that_knows_the_answer_is_told_so() -> None:
    async with open_api() as api:
        first = await api.ask("GET", "/exchanges/%2F?columns=name")
        tag = first.headers["etag"]
        again = await api.ask("GET", "/exchanges/%2F?columns=name", headers={"if-none-match": f'"other", {tag}'})
        assert (again.status_code, again.headers["etag"]) == (304, tag)
        await api.put("/exchanges/%2F/x", {})
        changed = await api.ask("GET", "/exchanges/%2F?columns=name", headers={"if-none-match": tag})
        assert (changed.status_code, changed.headers["etag"] != tag) == (200, True)


async def test_head_answers_as_get_without_a_body() -> None:
    async with open_api() as api:
        get, head = await api.ask("GET", "/vhosts"), await api.ask("HEAD", "/vhosts")
        assert head.status_code == 200
        assert (head.headers["content-length"], head.content) == (get.headers["content-length"], b"")
        assert (await api.ask("HEAD", "/vhosts/nowhere")).status_code == 404


async def test_a_trailing_slash_and_an_empty_name() -> None:
    async with open_api() as api:
        assert await api.get("/vhosts/") == await api.get("/vhosts")
        response = await api.http.get("/api/queues/api//q", auth=("guest", "guest"))
        refusal(response, 404, "Object Not Found")
        refusal(await api.http.get("/api", auth=("guest", "guest")), 404, "Object Not Found")
