"""docs/federation.md names every key, every policy key, every status and every column, and no other."""

from __future__ import annotations

import json
import re
import shlex

from tests.docs.pages import ROOT
from tests.plugins.federation.brokers import federated, names, set_policy, set_upstream, told, until_link
from warren.gateway import open_broker
from warren.gateway.configuration.config import Config
from warren.gateway.plugin import Column
from warren.plugins.federation.link import STATES
from warren.plugins.federation.listing import LinkRow
from warren.plugins.federation.resolving import ALL, POLICY_KEYS
from warren.plugins.federation.upstream import SET_KEYS, UPSTREAM_KEYS, Upstream, read_set, read_upstream

TEXT = (ROOT / "docs" / "federation.md").read_text()


def section(heading: str) -> str:
    return TEXT.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]


def rows(heading: str, first: str) -> dict[str, str]:
    """A table's second cells by the names in backquotes in the first ones.  first: the head of the first column."""
    table = section(heading).split(f"\n| {first} |", 1)[1].split("\n\n", 1)[0]
    cells = [re.split(r" \| ", line.strip("| ")) for line in table.splitlines()[2:]]
    return {name: row[1] for row in cells for name in re.findall(r"`([^`]+)`", row[0])}


def test_every_key() -> None:
    assert set(rows("Keys", "key")) == set(UPSTREAM_KEYS)
    assert set(UPSTREAM_KEYS) - set(SET_KEYS) == {"uri"}, "all others can be said in a set"


def test_defaults_are_as_they_are_said() -> None:
    upstream = Upstream("u", ())
    said = {key: text.strip("`") for key, text in rows("Keys", "key").items() if text[0] == "`" or text.isdigit()}
    prefix = said.pop("consumer-tag").partition("`")[0]
    assert upstream.tag == f"{prefix}u"
    assert said == {key: str(getattr(upstream, UPSTREAM_KEYS[key][0])).removesuffix(".0").lower() for key in said}
    assert "max-hops" in said


def test_the_examples_can_be_declared() -> None:
    (upstream,) = re.findall(r"set_parameter federation-upstream \w+ '(.*)'", TEXT)
    assert read_upstream("centre", json.loads(upstream)).uris[0].host == "centre.example"
    (elements,) = re.findall(r"set_parameter federation-upstream-set \w+ '(.*)'", TEXT)
    assert [each.upstream for each in read_set(json.loads(elements))] == ["centre", "south"]
    policies = [json.loads(each) for each in re.findall(r"set_policy \w+ '\S+' '(.*)' --apply-to", TEXT)]
    assert policies == [{"federation-upstream": "centre"}] * 2


def test_every_policy_key() -> None:
    assert set(rows("Policies", "key")) == set(POLICY_KEYS)
    assert rows("Policies", "key")["federation-upstream-set"].endswith(f"`{ALL}`")


def test_every_status() -> None:
    assert set(rows("How is it", "status")) == set(STATES.values())


def test_every_column() -> None:
    columns = {name for name, value in vars(LinkRow).items() if isinstance(value, Column)}
    assert set(rows("How is it", "column")) == columns


async def test_the_commands_set_it_up() -> None:
    up_config = Config(in_memory=True, plugins=("federation",)).replace(cluster_name="centre")
    async with open_broker(config=up_config) as up, federated("branch") as down, down.connect() as here:
        await here.declare_exchange("news", "fanout", durable=True)
        await here.declare_queue("jobs", durable=True)
        (block,) = re.findall(r"```sh\n(.*?)```", section("Set one up"), re.DOTALL)
        lines = block.replace("amqp://branch:password@centre.example", up.url()).splitlines()
        assert len(lines) == 4
        for line in lines:
            _, _, command, *words = shlex.split(line)
            options = {"apply_to": words.pop()} if "--apply-to" in words else {}
            await told(down, command, *[word for word in words if word != "--apply-to"], **options)
        await until_link(down, exchange="news", upstream="centre")
        await until_link(down, queue="jobs", upstream="centre")
        assert "federation: news -> branch" in names(up, "queues"), "as the drawing has it"


async def test_the_permissions_are_enough() -> None:
    up_config = Config(in_memory=True, plugins=("federation",))
    async with open_broker(config=up_config) as up, federated() as down, up.connect() as far, down.connect() as here:
        own = "federation: .*"
        await told(up, "add_user", "branch", "password")
        await told(up, "set_permissions", "branch", f"^(news|jobs|{own})$", f"^{own}$", f"^(news|jobs|{own})$")
        await here.declare_exchange("news", "fanout", durable=True)
        await here.declare_queue("jobs", durable=True)
        await here.bind_queue("jobs", "news")
        await set_upstream(down, "centre", up.url().replace("//", "//branch:password@"))
        await set_policy(down, "^(news|jobs)$", apply_to="all")
        await until_link(down, exchange="news")
        await until_link(down, queue="jobs")
        async with here.consume("jobs") as deliveries:
            await far.publish("news", "", b"1")
            await far.publish("", "jobs", b"2")
            assert {(await anext(deliveries)).body, (await anext(deliveries)).body} == {b"1", b"2"}
