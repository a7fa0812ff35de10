"""A user for a device: what it is given, and that nothing is done when something of it can't be."""

from __future__ import annotations

import pytest

from tests.gateway.control.control_target import Asker

QUEUE = "^mqtt-subscription-boiler$"


@pytest.fixture
async def warren() -> Asker:
    return Asker()


async def test_what_it_is_given(warren: Asker) -> None:
    said = await warren.do("add_device", "boiler", "secret")
    assert said.startswith(
        "Done. 'boiler' may publish and subscribe to devices/boiler/#, and nothing else. Its client "
    )
    assert await warren.do("authenticate_user", "boiler", "secret") == "Success"
    assert ["boiler", []] in await warren.rows("list_users"), "it has no tags"
    reads = f"{QUEUE}|^amq\\.topic$"
    assert await warren.rows("list_user_permissions", "boiler") == [["/", QUEUE, reads, reads]]
    topics = r"^(?:devices\.boiler(?:\..*)?)$"
    assert await warren.rows("list_user_topic_permissions", "boiler") == [["/", "amq.topic", topics, topics]]


async def test_topics_and_a_virtual_host(warren: Asker) -> None:
    await warren.do("add_device", "a.b", "secret", vhost="other", topics=["a.b/set", "weather/+"])
    assert await warren.rows("list_user_permissions", "a.b") == [
        ["other", r"^mqtt-subscription-a\.b$", *[r"^mqtt-subscription-a\.b$|^amq\.topic$"] * 2]
    ]
    topics = r"^(?:a%2Eb\.set|weather\.[^.#]*)$"
    assert await warren.rows("list_user_topic_permissions", "a.b") == [["other", "amq.topic", topics, topics]]


@pytest.mark.parametrize(
    ("name", "options", "code", "told"),
    [
        ("a/b", {}, 64, "say with --topics which topics are for 'a/b'"),
        ("+", {}, 64, "say with --topics which topics are for '+'"),
        ("boiler", {"topics": ["a/#/b"]}, 70, "#"),
        ("boiler", {"topics": ["$share/g/a"]}, 70, "leave out $share/g/"),
        ("boiler", {"vhost": "nowhere"}, 65, "virtual host 'nowhere' does not exist"),
        ("guest", {}, 70, "user 'guest' already exists"),
    ],
)
async def test_nothing_is_done_that_cant_be(
    warren: Asker, name: str, options: dict[str, object], code: int, told: str
) -> None:
    users = await warren.rows("list_users")
    found, text = await warren.refused("add_device", name, "secret", **options)
    assert (found, told in text) == (code, True), text
    assert await warren.rows("list_users") == users
    assert await warren.rows("list_topic_permissions") == []
