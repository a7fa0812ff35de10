"""Every word of `warren ctl`: what it answers, what it changes, and how it refuses."""

from __future__ import annotations

from typing import cast

import pytest
import trio

from tests.gateway.control.control_target import Asker
from warren.gateway.control.target import Answer, Control, Request, done
from warren.gateway.control.word import Word
from warren.gateway.control.word import word as declare_word
from warren.gateway.control.words.built_in import WORDS
from warren.gateway.process.settings import total_memory_bytes


@pytest.fixture
async def warren() -> Asker:
    return Asker()


async def test_columns(warren: Asker) -> None:
    warren.server.fill_queue("tasks", 3, {"x-max-length": 10})
    assert await warren.rows("list_queues") == [["tasks", 3]]
    assert await warren.rows("list_queues", "messages_ready", "name") == [[3, "tasks"]]
    assert await warren.rows("list_queues", "name,arguments", "policy") == [["tasks", {"x-max-length": 10}, None]]
    assert await warren.rows("list_queues", vhost="other") == []
    code, text = await warren.refused("list_queues", "name", "size")
    assert code == 64
    assert text.startswith("unknown column size; the columns are name durable auto_delete")


async def test_listings_of_everything(warren: Asker) -> None:
    warren.server.connect("<1>", "a -> b", "other")
    assert await warren.rows("list_connections") == [["guest", "127.0.0.1", 4711, ""]]
    assert await warren.rows("list_connections", "pid", "vhost") == [["<1>", "other"]]
    assert await warren.rows("list_vhosts") == [["/"], ["other"]]
    assert ["amq.topic", "topic"] in await warren.rows("list_exchanges")
    warren.server.fill_queue("tasks", 0)
    assert await warren.rows("list_bindings") == [["", "exchange", "tasks", "queue", "tasks", {}]]
    by_protocol = ("list_mqtt_connections", "list_stomp_connections", "list_amqp10_connections")
    for word in ("list_channels", "list_consumers", *by_protocol, "list_amqp10_sessions", "list_amqp10_links"):
        assert await warren.rows(word) == []


async def test_unknown_names(warren: Asker) -> None:
    no_vhost = (65, "virtual host 'gone' does not exist")
    for word, arguments in [
        ("list_queues", ()),
        ("list_permissions", ()),
        ("list_topic_permissions", ()),
        ("purge_queue", ("q",)),
        ("close_all_connections", ()),
        ("set_permissions", ("guest", "", "", "")),
    ]:
        assert await warren.refused(word, *arguments, vhost="gone") == no_vhost
    assert await warren.refused("delete_vhost", "gone") == no_vhost
    no_user = (67, "user 'eve' does not exist")
    for word, arguments in [
        ("delete_user", ("eve",)),
        ("close_all_user_connections", ("eve",)),
        ("change_password", ("eve", "x")),
        ("clear_password", ("eve",)),
        ("set_user_tags", ("eve", "monitoring")),
        ("set_permissions", ("eve", "", "", "")),
        ("clear_permissions", ("eve",)),
        ("set_topic_permissions", ("eve", "amq.topic", "", "")),
        ("clear_topic_permissions", ("eve",)),
        ("list_user_permissions", ("eve",)),
        ("list_user_topic_permissions", ("eve",)),
    ]:
        assert await warren.refused(word, *arguments) == no_user
    assert await warren.refused("purge_queue", "q") == (65, "no queue 'q' in vhost '/'")


async def test_users(warren: Asker) -> None:
    assert "set_permissions -p / ann" in await warren.do("add_user", "ann", "secret")
    assert await warren.refused("add_user", "ann", "x") == (70, "user 'ann' already exists")
    assert await warren.do("authenticate_user", "ann", "secret") == "Success"
    code, text = await warren.refused("authenticate_user", "ann", "wrong")
    assert (code, text) == (65, "failed to authenticate user 'ann' - invalid credentials")
    await warren.do("change_password", "ann", "other")
    await warren.do("authenticate_user", "ann", "other")
    await warren.do("clear_password", "ann")
    assert (await warren.refused("authenticate_user", "ann", "other"))[0] == 65
    await warren.do("set_user_tags", "ann", "policymaker,monitoring", "management")
    tags = ["management", "monitoring", "policymaker"]
    assert await warren.rows("list_users") == [["guest", ["administrator"]], ["ann", tags]]
    await warren.do("set_user_tags", "ann")
    for word, arguments in [("delete_user", ("guest",)), ("set_user_tags", ("guest", "monitoring"))]:
        code, text = await warren.refused(word, *arguments)
        assert (code, text.partition(";")[0]) == (70, "no administrator would be left without 'guest'")
    await warren.do("set_user_tags", "guest", "monitoring", force=True)
    await warren.do("set_user_tags", "guest", "administrator")
    await warren.do("delete_user", "guest", force=True)
    assert await warren.rows("list_users") == [["ann", []]]


async def test_an_administrator_who_isnt_the_last_goes(warren: Asker) -> None:
    await warren.do("add_user", "ann", "secret")
    await warren.do("set_user_tags", "ann", "administrator")
    await warren.do("delete_user", "guest")
    await warren.do("set_user_tags", "ann", "administrator", "monitoring")


async def test_permissions(warren: Asker) -> None:
    await warren.do("set_permissions", "guest", "^a", "b", "", vhost="other")
    await warren.do("set_permissions", "guest", ".*", ".*", ".*")
    assert await warren.rows("list_permissions", vhost="other") == [["guest", "^a", "b", ""]]
    assert await warren.rows("list_user_permissions", "guest") == [
        ["/", ".*", ".*", ".*"],
        ["other", "^a", "b", ""],
    ]
    await warren.do("clear_permissions", "guest")
    assert await warren.rows("list_permissions") == []
    code, text = await warren.refused("set_permissions", "guest", "(", "", "")
    assert code == 70
    assert "(" in text


async def test_topic_permissions(warren: Asker) -> None:
    await warren.do("set_topic_permissions", "guest", "amq.topic", "^a", "^b")
    await warren.do("set_topic_permissions", "guest", "logs", "c", "d", vhost="other")
    assert await warren.rows("list_topic_permissions") == [["guest", "amq.topic", "^a", "^b"]]
    assert await warren.rows("list_user_topic_permissions", "guest") == [
        ["/", "amq.topic", "^a", "^b"],
        ["other", "logs", "c", "d"],
    ]
    await warren.do("clear_topic_permissions", "guest", "elsewhere")
    await warren.do("clear_topic_permissions", "guest", vhost="other")
    assert await warren.rows("list_user_topic_permissions", "guest") == [["/", "amq.topic", "^a", "^b"]]
    await warren.do("clear_topic_permissions", "guest", "amq.topic")
    assert await warren.rows("list_topic_permissions") == []


async def test_virtual_hosts(warren: Asker) -> None:
    await warren.do("add_vhost", "new", description="for tests", tags="a, b", default_queue_type="classic")
    columns = ("name", "description", "tags", "default_queue_type")
    assert (await warren.rows("list_vhosts", *columns))[-1] == ["new", "for tests", ["a", "b"], "classic"]
    said = await warren.do("add_vhost", "new", description="another")
    assert said == "vhost 'new' is there already, and stays as it is"
    assert ["new", "for tests"] in await warren.rows("list_vhosts", "name", "description")
    await warren.do("delete_vhost", "new")
    assert await warren.rows("list_vhosts") == [["/"], ["other"]]


async def test_queues(warren: Asker) -> None:
    warren.server.fill_queue("tasks", 3)
    code, text = await warren.refused("delete_queue", "tasks", if_empty=True)
    assert (code, text) == (70, "queue 'tasks' in vhost '/' not empty; it holds 3 message(s)")
    assert await warren.do("purge_queue", "tasks") == "3 ready messages were dropped"
    await warren.do("delete_queue", "tasks", if_empty=True, if_unused=True)
    assert await warren.rows("list_queues") == []
    warren.server.fill_queue("tasks", 2)
    assert await warren.do("delete_queue", "tasks") == "Queue was successfully deleted with 2 ready messages"


async def test_closing_connections(warren: Asker) -> None:
    first = warren.server.connect("<1>", "a -> b", "/")
    second = warren.server.connect("<2>", "c -> d", "other")
    await warren.do("close_connection", "<1>", "out", "with", "you")
    assert (first.closed_for, second.closed_for) == (["out with you"], [])
    await warren.do("close_connection", "c -> d")
    assert [text.partition(" - ")[0] for text in second.closed_for] == ["CONNECTION_FORCED"]
    code, text = await warren.refused("close_connection", "<3>", "reason")
    assert code == 65
    assert "warren ctl list_connections pid name" in text
    assert await warren.do("close_all_connections", "bye", vhost="other") == "Closed 1 connections"
    assert (first.closed_for[1:], second.closed_for[1:]) == ([], ["bye"])
    assert await warren.do("close_all_connections", "bye") == "Closed 2 connections"
    assert first.closed_for[1:] == ["bye"]
    assert await warren.do("close_all_user_connections", "guest", "good", "bye") == "Closed 2 connections"
    assert first.closed_for[2:] == ["good bye"]


async def test_status(warren: Asker) -> None:
    warren.server.fill_queue("tasks", 3)
    warren.server.broker.alarms.set("disk", True)
    answer = await warren.ask("status")
    value = cast("dict[str, object]", answer["value"])
    assert value["running"] is True
    assert value["alarms"] == ["disk"]
    assert value["listeners"] == [
        {"protocol": "amqp", "interface": "127.0.0.1", "port": 5672},
        {"protocol": "amqp", "interface": "::1", "port": 5672},
    ]
    assert value["totals"] == {
        "virtual_host_count": 2,
        "connection_count": 0,
        "queue_count": 1,
        "messages_ready": 3,
        "messages_unacknowledged": 0,
    }
    assert cast("int", value["memory_bytes"]) > 1_000_000
    assert value["vm_memory_high_watermark_setting"] == {"relative": 0.6}
    assert value["vm_memory_high_watermark_limit"] == int(0.6 * total_memory_bytes())
    assert value["disk_free_limit"] == 50_000_000
    text = str(answer["text"])
    for line in (
        "Listening: amqp 127.0.0.1:5672, amqp [::1]:5672",
        "Alarms: disk",
        "Queue count: 1",
        "State: running",
    ):
        assert line in text.splitlines()


async def test_environment_hides_passwords(warren: Asker) -> None:
    answer = await warren.ask("environment")
    assert "swordfish" not in str(answer)
    assert "heartbeat_s = 60" in str(answer["text"])
    assert cast("dict[str, object]", answer["value"])["in_memory"] is True


async def test_stopping_and_starting_the_application(warren: Asker) -> None:
    code, text = await warren.refused("reset")
    assert (code, "stop it first" in text) == (70, True)
    await warren.do("add_user", "ann", "x")
    await warren.do("stop_app")
    assert await warren.refused("list_users") == (
        69,
        "the broker application is stopped; start it with: warren ctl start_app",
    )
    stopped = cast("dict[str, object]", (await warren.ask("status"))["value"])
    assert (stopped["running"], stopped["listeners"]) == (False, [])
    assert await warren.do("ping") == "Ping succeeded"
    await warren.do("reset")
    await warren.do("start_app")
    assert await warren.rows("list_users") == [["guest", ["administrator"]]]


async def test_stop_is_answered_before_it_happens(warren: Asker) -> None:
    await warren.do("stop")
    assert warren.control.stop_requested
    assert not warren.server.stopped.is_set()


async def test_a_change_ends_the_batch(warren: Asker) -> None:
    await warren.do("add_user", "ann", "x")
    assert warren.server.changes == 1
    assert not warren.server.broker.definitions.dirty


async def test_every_word_has_a_handler_and_checks_its_arguments(warren: Asker) -> None:
    for word in WORDS.values():
        too_many = ["x"] * 1001
        code, text = await warren.refused(word.name, *too_many)
        assert (code, text) == (64, f"too many arguments; {word.line}")
        least = sum(not name.startswith("[") for name in word.usage.split())
        if word.secret is not None:
            least = word.secret + 1
        answer = await warren.ask(word.name, *["x"] * least)
        assert "a bug in the broker" not in str(answer.get("error")), answer
        await warren.ask("start_app")


@declare_word("WHO", "greet somebody")
async def greet(control: Control, request: Request) -> Answer:
    await trio.lowlevel.checkpoint()
    return done(f"Hello, {request.arguments[0]}")


async def test_words_of_plugins(warren: Asker) -> None:
    assert (await warren.refused("greet", "you"))[1] == "unknown command 'greet'; did you mean reset?"
    words: list[Word] = []
    warren.control.plugin_words = lambda: words
    words.append(greet)
    assert await warren.do("greet", "you") == "Hello, you"
    assert warren.server.changes == 1
    assert (await warren.refused("greet", "you", "two"))[0] == 64
    await warren.do("stop_app")
    assert (await warren.refused("greet", "you"))[0] == 69


async def test_what_a_limit_refuses_is_counted_for_administrators_too(warren: Asker) -> None:
    pattern = "(" * 100 + ")" * 100
    code, text = await warren.refused("set_policy", "deep", pattern, '{"max-length":1}')
    assert code == 70
    assert "groups within groups" in text
    assert [row[:2] for row in await warren.rows("list_limit_hits")] == [["work of a pattern", 1]]
