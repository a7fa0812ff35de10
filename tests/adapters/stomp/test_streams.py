"""Streams over STOMP: the headers that ask for an offset, a filter and credit (spec B.4, H.2)."""

from __future__ import annotations

import random

import pytest

from tests.adapters.stomp.conftest import Connect
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stomp import Answer, StompClient

READER = {"destination": "/queue/s", "ack": "client-individual", "prefetch_count": "3"}


@pytest.fixture
def client(connect: Connect) -> StompClient:
    """A connection, and a stream of five messages that it has made and published."""
    made: StompClient = connect()
    made.send("SUBSCRIBE", id="make", x_queue_type="stream", durable="true", auto_delete="false", **READER)
    made.send("UNSUBSCRIBE", id="make")
    for number in range(5):
        made.send("SEND", b"%d" % number, destination="/queue/s", receipt="r")
    return made


def bodies(answers: list[Answer]) -> list[bytes]:
    assert {answer.command for answer in answers} <= {"MESSAGE"}, answers
    return [answer.body for answer in answers]


def test_it_is_read_from_an_offset_and_acknowledging_asks_for_more(
    client: StompClient, simulated: SimulatedBroker
) -> None:
    answers = client.send("SUBSCRIBE", id="1", x_stream_offset="offset=1", **READER)
    assert bodies(answers) == [b"1", b"2", b"3"]
    assert [answer["x-stream-offset"] for answer in answers] == ["1", "2", "3"]
    assert bodies(client.send("ACK", id=answers[0]["ack"])) == [b"4"]
    assert bodies(client.send("NACK", id=answers[1]["ack"])) == []
    client.send("UNSUBSCRIBE", id="1")
    assert bodies(client.send("SUBSCRIBE", id="2", x_stream_offset="first", **READER)) == [b"0", b"1", b"2"]
    assert simulated.vhost.queue("s").ready_count == 5


def test_values_are_filtered_by(client: StompClient) -> None:
    client.send("SEND", b"red", destination="/queue/s", x_stream_filter_value="red")
    client.send("SEND", b"blue", destination="/queue/s", x_stream_filter_value="blue")
    assert bodies(client.send("SUBSCRIBE", id="1", x_stream_offset="first", x_stream_filter="red", **READER)) == [
        b"red"
    ]


KINDS: tuple[dict[str, str], ...] = (
    {},
    {"x_kind": "a"},
    {"content_type": "text/plain", "persistent": "true"},
    {"x_kind": "x-stream-offset:1111111111111111111"},
    {"x_stream_offset": "77"},
)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("version", ["1.0", "1.2"])
def test_rows_come_out_as_they_went_in(connect: Connect, client: StompClient, version: str, seed: int) -> None:
    draw = random.Random(seed)
    sent: list[tuple[dict[str, str], bytes]] = []
    while len(sent) < 200:
        kind, body = draw.choice(KINDS), draw.choice([b"", b"a", b"x" * 300])
        sent += [(kind, body[: draw.choice([1, 1000])]) for _ in range(draw.choice([1, 2, 30]))]
    for kind, body in sent:
        client.send("SEND", body, destination="/queue/s", **kind)
    reader = connect(version)
    headers = {"destination": "/amq/queue/s", "prefetch_count": draw.choice(["7", "1000"]), "ack": "client"}
    got = reader.send("SUBSCRIBE", id="1", x_stream_offset="offset=5", **headers)
    answers = got
    while answers:
        header = {"id": got[-1]["ack"]} if version == "1.2" else {"message_id": got[-1]["message-id"]}
        answers = reader.send("ACK", subscription="1", **header)
        got += answers
    assert bodies(got) == [body for _, body in sent]
    assert [answer["x-stream-offset"] for answer in got] == [str(5 + number) for number in range(len(sent))]
    assert len({answer["message-id"] for answer in got}) == len(got)
    for (kind, body), answer in zip(sent, got, strict=True):
        assert answer.headers.get("x-kind") == kind.get("x_kind")
        assert answer.headers.get("content-type") == kind.get("content_type")
        assert answer.headers.get("persistent") == kind.get("persistent")
        assert answer.headers.get("content-length") == (str(len(body)) if body else None)


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({"destination": "/queue/s", "prefetch_count": "3"}, "automatic acknowledgement not supported"),
        ({"destination": "/queue/s", "ack": "client"}, "prefetch"),
        ({**READER, "x_stream_offset": "sometime"}, "x-stream-offset"),
    ],
)
def test_what_is_missing_or_wrong_is_told(client: StompClient, headers: dict[str, str], text: str) -> None:
    answer = client.send("SUBSCRIBE", id="1", **headers)[0]
    assert answer.command == "ERROR"
    assert text in answer.body.decode() + " ".join(answer.lines)
