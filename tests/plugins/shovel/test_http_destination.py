"""Shovels to an HTTP service: each message is a request, in order, and what the service says of it counts."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from tests.plugins.shovel.brokers import ask, edge, fill, set_shovel, status, take, until, until_state
from tests.plugins.shovel.http_services import Answer, Asked, Service, service
from warren.core.messages.field_table import Typed
from warren.core.messages.properties import encode_properties
from warren.gateway.embedding import EmbeddedBroker

BODIES = [b"%d" % number for number in range(50)]
MODES = ["on-confirm", "on-publish", "no-ack"]


def to(there: Service, path: str = "/in", **more: Any) -> dict[str, Any]:
    return {"src_uri": "amqp://", "src_queue": "out", "dest_protocol": "http", "dest_uri": there.url(path), **more}


def waiting(broker: EmbeddedBroker, queue: str = "out") -> int:
    found = next(row for row in broker.inspect("queues") if row["name"] == queue)["messages"]
    assert isinstance(found, int)
    return found


@pytest.mark.parametrize("mode", MODES)
async def test_every_message_is_a_request_in_order(mode: str) -> None:
    async with service() as there, edge() as broker, broker.connect() as here:
        await fill(here, "out", BODIES)
        await set_shovel(broker, **to(there, ack_mode=mode))
        await until(lambda: len(there.asked) == len(BODIES))
        assert there.bodies == BODIES
        assert {each.method for each in there.asked} == {"POST"}
        assert (there.connections, there.at_once_most) == (1, 1)
        await until(lambda: waiting(broker) == 0)
        found = await until_state(broker, "running")
        assert (found["forwarded"], found["dest_uri"]) == (len(BODIES), there.url())


async def test_what_a_message_says_of_itself() -> None:
    rich = encode_properties(
        content_type="application/json",
        content_encoding="gzip",
        delivery_mode=2,
        priority=3,
        correlation_id="c",
        reply_to="answers",
        expiration="100000",
        message_id="m 1",
        timestamp=1_700_000_000,
        type="t",
        app_id="ä",
        headers={
            "site": Typed("l", 7),
            "X-Text": "a\nb",
            "list": [1, {"a": True}],
            "bad name": "no",
            "Authorization": "Bearer stolen",
            "Host": "elsewhere",
            "content-length": "0",
            "Amqp-Type": "false",
            "Fixed": "theirs",
        },
    )
    async with service() as there, edge() as broker, broker.connect() as here:
        await here.declare_queue("out", durable=True)
        await here.bind_queue("out", "amq.topic", "a.#")
        await here.publish("amq.topic", "a.b c", b"{}", rich)
        path = "/x/{topic}/{routing_key}/{exchange}?id={message_id}&key=k"
        await set_shovel(broker, **to(there, path, dest_method="PUT", dest_headers={"fixed": "ours", "X-Site": "9"}))
        await until(lambda: len(there.asked) == 1)
        (asked,) = there.asked
        assert (asked.method, asked.target) == ("PUT", "/x/a/b%20c/a.b%20c/amq.topic?id=m%201&key=k")
        assert asked.headers == {
            "host": f"127.0.0.1:{there.port}",
            "user-agent": "Warren",
            "fixed": "ours",
            "x-site": "9",
            "content-type": "application/json",
            "content-encoding": "gzip",
            "content-length": "2",
            "amqp-exchange": "amq.topic",
            "amqp-routing-key": "a.b c",
            "amqp-message-id": "m 1",
            "amqp-correlation-id": "c",
            "amqp-type": "t",
            "amqp-timestamp": "1700000000",
            "amqp-priority": "3",
            "amqp-delivery-mode": "2",
            "amqp-expiration": "100000",
            "amqp-reply-to": "answers",
            "amqp-app-id": "%C3%A4",
            "site": "7",
            "x-text": "a%0Ab",
            "list": '[1,{"a":true}]',
        }
        assert (await status(broker))["dest_uri"].endswith("/x/{topic}/{routing_key}/{exchange}")


@pytest.mark.parametrize(
    ("user", "more", "sent"),
    [
        ("edge:s3%40cret@", {}, "Basic ZWRnZTpzM0BjcmV0"),
        ("", {"dest_bearer_token": "t0ken"}, "Bearer t0ken"),
        ("", {"dest_headers": {"Authorization": "Key k3y"}}, "Key k3y"),
    ],
)
async def test_who_logs_in_and_no_word_of_it(
    user: str, more: dict[str, Any], sent: str, caplog: pytest.LogCaptureFixture
) -> None:
    secrets = ("s3@cret", "s3%40cret", "ZWRnZTpzM0BjcmV0", "t0ken", "k3y")
    async with service() as there, edge() as broker, broker.connect() as here:
        there.answer = lambda asked: Answer(401, body=f"who is {asked.headers['authorization']}?".encode())
        await fill(here, "out", [b"1"])
        await set_shovel(
            broker, **{**to(there), "dest_uri": there.url(user=user)}, **more, dest_add_forward_headers=True
        )
        found = await until_state(broker, "blocked", "the destination answered 401")
        assert there.asked[0].headers["authorization"] == sent
        assert not any(secret in f"{found} {caplog.text} {there.asked[0].headers['x-shovelled']}" for secret in secrets)


async def test_the_way_over_is_told_and_the_header_of_a_stamp() -> None:
    async with service() as there, edge() as broker, broker.connect() as here:
        await fill(here, "out", [b"1", b"2"])
        keys = to(there, dest_add_forward_headers=True, dest_deduplication_header="Idempotency-Key")
        await set_shovel(broker, **keys)
        await until(lambda: len(there.asked) == 2)
        one, other = (each.headers["idempotency-key"] for each in there.asked)
        assert one != other
        assert f'"dest-uri":"{there.url()}"' in there.asked[0].headers["x-shovelled"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(503, body=b"back <soon>\n at noon\x07"), "the destination answered 503: back <soon> at noon?"),
        (Answer(500), "the destination answered 500"),
        (Answer(429), "the destination answered 429"),
        (Answer(404, body=b"no such path"), "the destination answered 404: no such path"),
        (Answer(301, {"location": "https://b.example/x?key=1"}), "301, to https://b.example/x: the URI is to be that"),
        (Exception, "the peer closed the connection without an answer"),
    ],
)
async def test_what_isnt_taken_is_sent_again_and_nothing_overtakes(answer: Answer | type[Exception], said: str) -> None:
    async with service() as there, edge() as broker, broker.connect() as here:
        broken = True
        there.answer = lambda asked: answer if broken and asked.body == b"1" else Answer()
        await fill(here, "out", BODIES[:4])
        await set_shovel(broker, **to(there))
        found = await until_state(broker, "blocked", said)
        assert found["pending"] == 3
        assert there.bodies[:2] == [b"0", b"1"]
        assert not {b"2", b"3"} & set(there.bodies), "they wait behind it"
        broken = False
        await until(lambda: waiting(broker) == 0)
        assert there.bodies[-3:] == [b"1", b"2", b"3"]
        await until_state(broker, "running")


async def test_a_message_that_is_refused_is_dead_lettered_if_asked_and_a_pause_isnt_a_refusal() -> None:
    dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    answers = {b"1": [Answer(503), Answer(503), Answer(422, body=b"bad"), Answer(422)]}
    async with service() as there, edge() as broker, broker.connect() as here:
        await here.declare_queue("dead", durable=True)
        await here.declare_queue("out", durable=True, arguments=dead)
        there.answer = lambda asked: answers[asked.body].pop(0) if answers.get(asked.body) else Answer()
        for body in BODIES[:3]:
            await here.publish("", "out", body, encode_properties(delivery_mode=2))
        await set_shovel(broker, **to(there, src_predeclared=True, dead_letter_after=2))
        assert await take(here, "dead", 1) == [b"1"]
        await until(lambda: waiting(broker) == 0)
        assert there.bodies == [b"0", b"1", b"1", b"1", b"1", b"2"]


async def test_it_asks_no_sooner_than_it_is_told_to(autojump_clock: trio.testing.MockClock) -> None:
    times: list[float] = []

    def answer(asked: Asked) -> Answer:
        times.append(trio.current_time())
        return Answer(503, {"retry-after": "120"}) if len(times) == 1 else Answer()

    async with service() as there, edge() as broker, broker.connect() as here:
        there.answer = answer
        await fill(here, "out", [b"1", b"2"])
        await set_shovel(broker, **to(there))
        await until_state(broker, "blocked", "it asks for a pause of 120 s")
        await until(lambda: len(times) == 3)
        assert 120 <= times[1] - times[0] < 130


async def test_a_service_that_never_answers_is_given_up_and_asked_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    # Over real sockets in this process: the clock jumps once nothing has happened for a moment of real time.
    autojump_clock.autojump_threshold = 0.05
    async with service() as there, edge() as broker, broker.connect() as here:
        there.answer = lambda asked: None if len(there.asked) == 1 else Answer()
        await fill(here, "out", [b"1"])
        await set_shovel(broker, **to(there, dest_timeout=30))
        await until(lambda: there.asked)
        await trio.sleep(29.8)  # with one jump; `until_state` would look very often
        await until_state(broker, "blocked", "didn't answer within 30 s")
        while waiting(broker):
            await trio.sleep(0.5)
        assert there.bodies == [b"1", b"1"]


async def test_a_connection_that_the_service_closes_is_made_anew_without_a_word() -> None:
    async with service() as there, edge() as broker, broker.connect() as here:
        there.answer = lambda asked: Answer(hangs_up=True)
        await fill(here, "out", BODIES[:5])
        await set_shovel(broker, **to(there))
        await until(lambda: waiting(broker) == 0)
        assert there.bodies == BODIES[:5]
        assert (await status(broker))["state"] == "running"
        assert there.connections == 5


async def test_several_at_once_when_asked() -> None:
    async with service() as there, edge() as broker, broker.connect() as here:
        await fill(here, "out", BODIES)
        await set_shovel(broker, **to(there, dest_concurrency=4))
        await until(lambda: waiting(broker) == 0)
        assert sorted(there.bodies) == sorted(BODIES)
        assert there.connections == 4


@pytest.mark.parametrize(
    ("form", "content_type", "body"),
    [
        ("json-lines", "application/x-ndjson", b'{"n":0}\n{"n":1}\n{"a":"b c"}\n'),
        ("json-array", "application/json", b'[{"n":0},{"n":1},{"a":"b c"}]'),
    ],
)
async def test_several_messages_in_a_request(form: str, content_type: str, body: bytes) -> None:
    async with service() as there, edge() as broker, broker.connect() as here:
        await fill(here, "out", [b'{"n":0}', b'{"n":1}', b'{\n  "a": "b c"\n}'])
        await set_shovel(broker, **to(there, dest_batch_max=100, dest_batch_format=form))
        await until(lambda: waiting(broker) == 0)
        assert there.bodies == [body]
        assert there.asked[0].headers["content-type"] == content_type


async def test_the_one_at_fault_in_a_request_of_several_is_found() -> None:
    async with service() as there, edge() as broker, broker.connect() as here:
        await here.declare_queue("dead", durable=True)
        dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
        await here.declare_queue("out", durable=True, arguments=dead)
        there.answer = lambda asked: Answer(400) if b"13" in asked.body else Answer()
        for number in (11, 12, 13, 14):
            await here.publish("", "out", b"%d" % number, encode_properties(delivery_mode=2))
        await here.publish("", "out", b"no json", encode_properties(delivery_mode=2))
        await set_shovel(broker, **to(there, src_predeclared=True, dest_batch_max=10, dead_letter_after=1))
        assert sorted(await take(here, "dead", 2)) == [b"13", b"no json"]
        await until(lambda: waiting(broker) == 0)
        taken = [each.body.split() for each in there.asked if b"13" not in each.body]
        assert sorted(number for each in taken for number in each) == [b"11", b"12", b"14"]


async def test_a_routing_key_leads_to_no_other_path() -> None:
    async with service() as there, edge() as broker, broker.connect() as here:
        await here.declare_queue("out", durable=True)
        await here.bind_queue("out", "amq.fanout")
        for key in ("a/../b", ".."):
            await here.publish("amq.fanout", key, b"1")
        await set_shovel(broker, **to(there, "/in/{routing_key}"))
        await until_state(broker, "blocked", "a message's '..' in 'dest-uri' would lead to another path")
        # The first may still be on its way.
        await until(lambda: bool(there.asked))
        assert [each.target for each in there.asked] == ["/in/a%2F..%2Fb"]


async def test_it_is_connected_to_again_when_it_is_back() -> None:
    async with edge() as broker, broker.connect() as here:
        await fill(here, "out", BODIES[:3])
        async with service() as there:
            port = there.port
            await set_shovel(broker, **to(there))
            await until(lambda: waiting(broker) == 0)
        await here.publish("", "out", b"4", encode_properties(delivery_mode=2))
        await until_state(broker, "terminated", f"127.0.0.1 port {port} can't be reached")
        assert waiting(broker) == 1
        answer = await ask(broker, "delete_shovel", "s")
        assert answer["ok"]


async def test_a_peer_that_speaks_something_else_is_told() -> None:
    async with edge(listen=("amqp=127.0.0.1:0",)) as broker, broker.connect() as here:
        await fill(here, "out", [b"1"])
        host, port = broker.address("amqp")
        keys = {"src_uri": "amqp://", "src_queue": "out", "dest_protocol": "http"}
        await set_shovel(broker, **keys, dest_uri=f"http://{host}:{port}/")
        await until_state(broker, "blocked", "the peer broke off its answer")


@pytest.mark.parametrize("mode", ["on-publish", "no-ack"])
async def test_without_confirms_a_refusal_ends_the_run_and_is_told(mode: str) -> None:
    async with service() as there, edge() as broker, broker.connect() as here:
        there.answer = lambda asked: Answer(500)
        await fill(here, "out", [b"1"])
        await set_shovel(broker, **to(there, ack_mode=mode))
        await until_state(broker, "terminated", "the destination answered 500")
