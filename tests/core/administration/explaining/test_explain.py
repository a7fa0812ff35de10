"""Where a message would go, and why: held against where it goes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core_broker import core_broker, core_client
from warren.core.administration import operations
from warren.core.administration.explaining import bindings as looking
from warren.core.administration.explaining.explanation import Explanation, Step
from warren.core.broker import Broker
from warren.core.errors import NoSuchUser, NotFound
from warren.core.exchanges.binding import DestinationKind
from warren.core.messages.field_table import Encodable
from warren.core.messages.properties import EMPTY, Properties, encode_properties
from warren.core.routing.publish import publish
from warren.core.storage.definitions.store import JSON


@pytest.fixture
def broker() -> Broker:
    broker = core_broker()
    broker.users.set_permissions("guest", "/", ".*", ".*", ".*")
    return broker


def queue(broker: Broker, name: str, **arguments: object) -> None:
    table = {each.replace("_", "-"): value for each, value in arguments.items()}
    operations.queues.declare(broker, "/", name, arguments=table)  # type: ignore[arg-type]


def exchange(broker: Broker, name: str, type_name: str, **arguments: object) -> None:
    table = {each.replace("_", "-"): value for each, value in arguments.items()}
    operations.exchanges.declare(broker, "/", name, type_name, arguments=table)  # type: ignore[arg-type]


def bind(broker: Broker, source: str, to: str, key: str = "", kind: str = "queue", **arguments: object) -> None:
    operations.bindings.add(broker, "/", source, kind, to, key, arguments)  # type: ignore[arg-type]


def ask(
    broker: Broker, to: str, key: str = "", properties: Properties = EMPTY, user: str | None = None, size: int = 0
) -> Explanation:
    return operations.explain.explain(broker, "/", to, key, properties, body_size=size, user=user).finish()


def headers(**values: Encodable) -> Properties:
    return encode_properties(headers={name.replace("_", "-"): value for name, value in values.items()})


def names(found: Explanation) -> list[str]:
    return [each.name for each in found.queues]


def step_at(found: Explanation, exchange_name: str) -> Step:
    (step,) = (each for each in found.steps if each.exchange == exchange_name)
    return step


def reasons(step: Step) -> dict[str, str]:
    return {each.destination: each.reason for each in (*step.matched, *step.missed)}


def test_a_direct_exchange_and_what_nearly_matched(broker: Broker) -> None:
    exchange(broker, "orders", "direct")
    for name, key in (("hit", "order.new"), ("case", "Order.New"), ("far", "something else"), ("typo", "order.nev")):
        queue(broker, name)
        bind(broker, "orders", name, key)
    found = ask(broker, "orders", "order.new")
    assert (found.outcome, found.routed, names(found)) == ("routed", True, ["hit"])
    assert found.text == "The message goes to queue 'hit'."
    step = step_at(found, "orders")
    assert [each.destination for each in step.matched] == ["hit"]
    assert [each.destination for each in step.missed] == ["case", "typo", "far"], "the nearest comes first"
    assert reasons(step)["case"] == "the binding key 'Order.New' differs from 'order.new' in upper and lower case only"
    assert (step.matched_count, step.missed_count, step.looked_at, step.binding_count) == (1, 3, 4, 4)


def test_topic_patterns(broker: Broker) -> None:
    wanted = {"a.*.c": True, "a.#": True, "#": True, "a.b": False, "a.b.d": False, "*.B.c": False, "a.b.#.x": False}
    for pattern in wanted:
        queue(broker, pattern)
        bind(broker, "amq.topic", pattern, pattern)
    found = ask(broker, "amq.topic", "a.b.c")
    assert set(names(found)) == {pattern for pattern, matches in wanted.items() if matches}
    told = reasons(step_at(found, "amq.topic"))
    assert told["a.b"] == "the key has 3 words, and the binding wants 2"
    assert told["a.b.d"] == "word 3 is 'c', and the binding wants 'd'"
    assert told["*.B.c"] == "word 2 is 'b', and the binding wants 'B' (only upper and lower case differ)"
    assert told["a.b.#.x"] == "behind '#' it wants 'x', and the key doesn't end so"


def test_headers_that_are_missing_or_other(broker: Broker) -> None:
    wanted: dict[str, dict[str, JSON]] = {
        "all": {"x-match": "all", "type": "a", "size": 5},
        "near": {"type": "a", "size": "5"},
        "any": {"x-match": "any", "colour": "red", "type": "z"},
    }
    for name, arguments in wanted.items():
        queue(broker, name)
        operations.bindings.add(broker, "/", "amq.headers", "queue", name, "", arguments)
    found = ask(broker, "amq.headers", "", headers(type="a", size=5))
    told = reasons(step_at(found, "amq.headers"))
    assert names(found) == ["all"]
    assert told["near"] == "not all that it asks for is there: 'size' is 5 instead of '5' (of another type)"
    assert told["any"] == ("none of what it asks for is there: 'colour' is missing, 'type' is 'a' instead of 'z'")
    assert [each.destination for each in step_at(found, "amq.headers").missed] == ["near", "any"]


def test_the_default_exchange(broker: Broker) -> None:
    queue(broker, "tasks")
    assert names(ask(broker, "", "tasks")) == ["tasks"]
    found = ask(broker, "", "Tasks")
    assert (found.outcome, found.routed) == ("unroutable", False)
    assert found.steps[0].text == "The default exchange finds no queue named 'Tasks'; there is one named 'tasks'."


def test_from_exchange_to_exchange_and_to_the_alternate(broker: Broker) -> None:
    exchange(broker, "in", "direct", alternate_exchange="rest")
    exchange(broker, "rest", "fanout")
    exchange(broker, "next", "fanout")
    queue(broker, "q")
    queue(broker, "leftovers")
    bind(broker, "in", "next", "k", "exchange")
    bind(broker, "next", "q")
    bind(broker, "rest", "leftovers")
    found = ask(broker, "in", "k")
    assert names(found) == ["q"]
    assert step_at(found, "next").text.startswith("By a binding from 'in', exchange 'next' (fanout) has 1 of 1")
    found = ask(broker, "in", "other")
    assert names(found) == ["leftovers"]
    assert "It hands over to its alternate exchange 'rest'." in step_at(found, "in").text
    assert (step_at(found, "rest").kind, step_at(found, "in").ok) == ("alternate_exchange", True)
    operations.exchanges.delete(broker, "/", "rest")
    found = ask(broker, "in", "other")
    assert (found.outcome, step_at(found, "in").ok) == ("unroutable", False)
    assert "which doesn't exist" in step_at(found, "in").text


def test_copies_go_by_their_own_keys(broker: Broker) -> None:
    for name in ("a", "b", "c"):
        queue(broker, name)
    found = ask(broker, "", "a", headers(CC=["b"], BCC=["c"]))
    assert names(found) == ["a", "b", "c"]
    assert found.steps[0].text == "The headers CC and BCC add the routing keys 'b', 'c'."
    assert ask(broker, "", "a", headers(CC="b")).outcome == "refused"


def test_what_a_user_may_not_do(broker: Broker) -> None:
    queue(broker, "q")
    broker.users.add_user("anne", "secret")
    assert "may not enter vhost '/'" in ask(broker, "", "q", user="anne").text
    broker.users.set_permissions("anne", "/", "", "^orders$", "")
    found = ask(broker, "", "q", user="anne")
    assert (found.outcome, found.routed, found.steps[-1].kind) == ("refused", False, "permission")
    assert "write access to exchange 'amq.default' in vhost '/' refused for user 'anne'" in found.text
    exchange(broker, "orders", "topic")
    bind(broker, "orders", "q", "#")
    assert ask(broker, "orders", "a.b", user="anne").steps[0].kind == "permission"
    assert names(ask(broker, "orders", "a.b", user="anne")) == ["q"]
    broker.users.set_topic_permissions("anne", "/", "orders", "^a", "")
    assert ask(broker, "orders", "b.a", user="anne").outcome == "refused"
    assert ask(broker, "orders", "a.b", encode_properties(user_id="guest"), "anne").outcome == "refused"
    with pytest.raises(NoSuchUser):
        ask(broker, "orders", "a.b", user="nobody")


def test_what_isnt_there(broker: Broker) -> None:
    assert "no exchange 'none'" in ask(broker, "none", "k").text
    assert ask(broker, "none", "k").outcome == "refused"
    with pytest.raises(NotFound):
        operations.explain.explain(broker, "none", "", "k", EMPTY)
    operations.exchanges.declare(broker, "/", "inner", "fanout", internal=True)
    assert "is internal" in ask(broker, "inner", "").text


def test_an_alarm_is_told(broker: Broker) -> None:
    queue(broker, "q")
    broker.alarms.set("memory", True)
    assert [each.kind for each in ask(broker, "", "q").steps] == ["alarm", "default_exchange"]


def test_a_full_queue_and_where_its_dead_letters_go(broker: Broker) -> None:
    queue(broker, "dead")
    queue(broker, "drops", x_max_length=1, x_dead_letter_exchange="", x_dead_letter_routing_key="dead")
    queue(broker, "refuses", x_max_length=1, x_overflow="reject-publish")
    queue(broker, "lost", x_message_ttl=500, x_dead_letter_exchange="nowhere")
    for name in ("drops", "refuses", "lost"):
        bind(broker, "amq.fanout", name)
    (drops, refuses, lost) = ask(broker, "amq.fanout").queues
    assert (drops.takes, refuses.takes, drops.notes) == ("take", "take", [])
    publish(core_client(broker), "amq.fanout", "", EMPTY, b"x")
    broker.end_turn()
    found = ask(broker, "amq.fanout", size=1)
    (drops, refuses, lost) = found.queues
    assert (found.outcome, refuses.takes) == ("refused", "refuse")
    assert drops.takes == "take"
    assert drops.notes == [
        "it is full (x-max-length): the message at its head would be dropped, which becomes a dead letter"
    ]
    assert drops.dead_letters is not None
    assert (drops.dead_letters.queues, drops.dead_letters.reasons) == (["dead"], ["rejected", "maxlen"])
    assert lost.dead_letters is not None
    assert (lost.dead_letters.exists, lost.dead_letters.reasons) == (False, ["rejected", "expired"])
    assert lost.notes == ["a message that isn't delivered within 500 ms would expire there"]
    found = ask(broker, "", "lost", encode_properties(expiration="20"))
    assert found.queues[0].notes == ["a message that isn't delivered within 20 ms would expire there"]
    assert broker.vhosts["/"].queues["drops"].ready_count == 1, "nothing has changed"


def test_duplicates(broker: Broker) -> None:
    exchange(broker, "once", "fanout", x_message_deduplication=True, x_cache_size=10)
    queue(broker, "q", x_message_deduplication=True)
    queue(broker, "plain")
    bind(broker, "once", "plain")
    marked = headers(x_deduplication_header="1")
    for _ in range(2):
        assert ask(broker, "once", "", marked).outcome == "routed", "asking isn't seeing"
        assert ask(broker, "", "q", marked).outcome == "routed"
    publish(core_client(broker), "once", "", marked, b"")
    publish(core_client(broker), "", "q", marked, b"")
    found = ask(broker, "once", "", marked)
    assert (found.outcome, found.routed) == ("duplicate", False)
    assert step_at(found, "once").kind == "duplicate"
    assert ask(broker, "once", "", headers(x_deduplication_header="2")).outcome == "routed"
    found = ask(broker, "", "q", marked)
    assert (found.outcome, found.queues[0].takes) == ("dropped", "drop")


def test_a_delayed_message_is_held_and_goes_on_when_it_is_due(broker: Broker) -> None:
    exchange(broker, "later", "x-delayed-message", x_delayed_type="direct")
    queue(broker, "q")
    bind(broker, "later", "q", "k")
    found = ask(broker, "later", "k", headers(x_delay=5000))
    assert (found.outcome, found.routed) == ("held", True)
    assert [(each.kind, each.ok) for each in found.steps] == [("held", True), ("due", True)]
    assert "for 5000 ms" in found.steps[0].text
    assert [(each.name, each.delayed) for each in found.queues] == [("q", True)]
    found = ask(broker, "later", "nobody", headers(x_delay=5000))
    assert (found.outcome, found.queues, found.steps[1].ok) == ("held", [], False)
    assert [(each.name, each.delayed) for each in ask(broker, "later", "k").queues] == [("q", False)]


@pytest.mark.parametrize("type_name", ["x-consistent-hash", "x-modulus-hash", "x-random"])
def test_exchanges_that_pick_one(broker: Broker, type_name: str) -> None:
    exchange(broker, "one", type_name)
    for number in range(4):
        queue(broker, f"q{number}")
        bind(broker, "one", f"q{number}", "1")
    found = ask(broker, "one", "some key")
    step = step_at(found, "one")
    assert (len(found.queues), step.matched_count, step.missed_count) == (1, 1, 3)
    assert [each.destination for each in step.matched] == names(found)
    assert "picks one target" in step.matched[0].reason
    if type_name != "x-random":
        publish(core_client(broker), "one", "some key", EMPTY, b"")
        assert broker.vhosts["/"].queues[names(found)[0]].ready_count == 1


def test_many_bindings_are_bounded_and_come_in_slices(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "LOOKED_AT_MAX", 500)
    queue(broker, "q")
    for number in range(600):
        bind(broker, "amq.direct", "q", f"key.{number:03}")
    steps = operations.explain.explain(broker, "/", "amq.direct", "key.599", EMPTY)
    slices = 0
    while steps.step():
        slices += 1
    step = step_at(steps.result, "amq.direct")
    assert slices >= 2
    assert names(steps.result) == ["q"], "the way is known, whatever was compared"
    assert (step.looked_at, step.binding_count, len(step.missed), step.missed_count) == (
        500,
        600,
        looking.SHOWN_MAX,
        500,
    )
    assert step.missed[0].routing_key == "key.099", "the first of the nearest"
    assert "500 of its 600 bindings were compared" in step.text


def test_who_takes_from_a_queue_and_whose_it_is(broker: Broker) -> None:
    queue(broker, "q")
    (reached,) = ask(broker, "", "q").queues
    assert (reached.whose, reached.consumers, reached.consumer_count) == ("", [], 0)


WORDS = st.sampled_from(["a", "b", "*", "#"])
KEYS = st.lists(st.sampled_from(["a", "b", "c"]), max_size=3).map(".".join)
PATTERNS = st.lists(WORDS, max_size=3).map(".".join)
TYPES = st.sampled_from(["direct", "fanout", "topic", "headers", "x-modulus-hash", "x-delayed-message"])
TABLES = st.dictionaries(st.sampled_from(["h", "i"]), st.sampled_from(["a", "b"]), max_size=2)


@given(
    types=st.lists(TYPES, min_size=1, max_size=3),
    edges=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 5), PATTERNS, TABLES, st.sampled_from(["all", "any"])), max_size=8
    ),
    alternates=st.lists(st.integers(0, 2), min_size=3, max_size=3),
    key=KEYS,
    given_headers=TABLES,
)
def test_it_says_what_a_publish_does(
    types: list[str],
    edges: list[tuple[int, int, str, Mapping[str, str], str]],
    alternates: list[int],
    key: str,
    given_headers: Mapping[str, str],
) -> None:
    broker = core_broker()
    broker.users.set_permissions("guest", "/", ".*", ".*", ".*")
    for number, type_name in enumerate(types):
        more = {"x-delayed-type": "topic"} if type_name == "x-delayed-message" else {}
        table = {"alternate-exchange": f"e{alternates[number]}", **more}
        operations.exchanges.declare(broker, "/", f"e{number}", type_name, arguments=table)
    for number in range(3):
        queue(broker, f"q{number}")
    for source, target, pattern, arguments, match in edges:
        if source >= len(types) or 3 <= target >= 3 + len(types):
            continue
        kind: DestinationKind = "queue" if target < 3 else "exchange"
        name = f"q{target}" if target < 3 else f"e{target - 3}"
        table = {**arguments, "x-match": match}
        operations.bindings.add(broker, "/", f"e{source}", kind, name, pattern, table)
    properties = encode_properties(headers=dict(given_headers)) if given_headers else EMPTY
    found = ask(broker, "e0", key, properties)
    _, route = publish(core_client(broker), "e0", key, properties, b"")
    assert sorted(names(found)) == sorted(each.name for each in route.queues)
    assert found.routed == route.routed
    reached_by = {each.destination for step in found.steps for each in step.matched if each.destination_type == "queue"}
    assert reached_by == set(names(found)), "each queue has a binding that says why, and no other has"
