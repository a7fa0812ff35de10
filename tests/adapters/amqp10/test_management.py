"""Managing over AMQP 1.0 by a pair of links (spec H.1)."""

from __future__ import annotations

from typing import Any

import proton
import pytest

from tests.adapters.amqp10.conftest import Connect
from tests.support.simulated_amqp10 import Amqp10Client, messages, of, only
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp10.codec.performatives import Attach, Detach, Disposition
from warren.adapters.amqp10.settings import Amqp10Settings

PAIRED = {"paired": True}


@pytest.fixture
def client(connect: Connect) -> Amqp10Client:
    """With a pair of links, and credit for answers."""
    made = connect()
    attach = of(Attach, made.attach_sender("/management", name="pair", properties=PAIRED))
    assert attach[0].properties == PAIRED
    only(Attach, made.attach_receiver("/management", name="pair", properties=PAIRED, snd_settle_mode=1))
    made.credit(100)
    return made


def ask(client: Amqp10Client, method: str, path: str, body: Any = None) -> tuple[str, Any]:
    """Status and body of the answer to a request."""
    request = proton.Message(body=body, id="request", subject=method, address=path, reply_to="$me")
    got = client.publish(bytes(request.encode()))
    assert len(of(Disposition, got)) == 1
    (answer,) = messages(got)
    properties: Any = answer.properties
    assert (answer.correlation_id, answer.address) == ("request", "$me")
    assert properties == {"http:response": "1.1"}
    return answer.subject or "", answer.body


def test_queues_are_declared_shown_purged_and_deleted(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    status, shown = ask(client, "PUT", "/queues/my%20queue", {"durable": True, "arguments": {"x-max-length": 5}})
    assert (status, shown["name"], shown["type"], shown["durable"]) == ("201", "my queue", "classic", True)
    assert shown["arguments"] == {"x-max-length": 5}
    assert ask(client, "PUT", "/queues/my%20queue", {"durable": True, "arguments": {"x-max-length": 5}})[0] == "200"
    status, why = ask(client, "PUT", "/queues/my%20queue", {"durable": True})
    assert (status, "inequivalent arg" in why) == ("409", True)
    client.attach_sender("/queues/my%20queue", handle=5)
    client.publish(b"\x00\x53\x75\xa0\x01x", handle=5)
    assert ask(client, "GET", "/queues/my%20queue")[1]["message_count"] == 1
    assert ask(client, "DELETE", "/queues/my%20queue/messages") == ("200", {"message_count": 1})
    assert ask(client, "DELETE", "/queues/my%20queue") == ("200", {"message_count": 0})
    assert ask(client, "GET", "/queues/my%20queue")[0] == "404"
    assert "my queue" not in simulated.vhost.queues


def test_exchanges_and_bindings(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    assert ask(client, "PUT", "/exchanges/e", {"type": "topic"}) == ("204", None)
    assert simulated.vhost.exchanges["e"].durable
    ask(client, "PUT", "/queues/q", {})
    bind = {"source": "e", "destination_queue": "q", "binding_key": "a.*", "arguments": {}}
    assert ask(client, "POST", "/bindings", bind) == ("204", None)
    more = {"source": "e", "destination_queue": "q", "binding_key": "a.*", "arguments": {"x": 1}}
    assert ask(client, "POST", "/bindings", more) == ("204", None)
    status, found = ask(client, "GET", "/bindings?src=e&dstq=q&key=a.%2A")
    assert status == "200"
    assert [(each["binding_key"], each["arguments"]) for each in found] == [("a.*", {}), ("a.*", {"x": 1})]
    assert found[0]["location"] == "/bindings/src=e;dstq=q;key=a.%2A;args="
    for each in found:
        assert ask(client, "DELETE", each["location"]) == ("204", None)
    assert ask(client, "GET", "/bindings?src=e&dstq=q") == ("200", [])
    between = {"source": "amq.topic", "destination_exchange": "e", "binding_key": "k"}
    assert ask(client, "POST", "/bindings", between)[0] == "204"
    assert len(ask(client, "GET", "/bindings?src=amq.topic&dste=e")[1]) == 1
    assert ask(client, "DELETE", "/exchanges/e") == ("204", None)
    assert "e" not in simulated.vhost.exchanges


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/bindings", {"source": "e"}, "400"),
        ("POST", "/bindings", {"source": "none", "destination_queue": "none", "binding_key": "k"}, "404"),
        ("POST", "/bindings", "text", "400"),
        ("GET", "/bindings?src=e", None, "400"),
        ("GET", "/bindings?dstq=e", None, "400"),
        ("PUT", "/queues/q", {"durable": 1}, "400"),
        ("PUT", "/queues/q", {"arguments": 1}, "400"),
        ("PUT", "/queues/amq.own", {}, "403"),
        ("PUT", "/queues/q", {"arguments": {"x-max-length": -1}}, "409"),
        ("POST", "/queues/q", {}, "405"),
        ("GET", "/exchanges/e", None, "405"),
        ("PUT", "/exchanges/e", {"type": "nonsense"}, "409"),
        ("GET", "/nothing", None, "404"),
        ("PUT", "/auth/tokens", 5, "400"),
        ("PUT", "/auth/tokens", b"token", "204"),
        ("DELETE", "/queues/none/messages", None, "404"),
        ("DELETE", "/queues/none", None, "200"),
    ],
)
def test_what_is_wrong_is_an_answer(client: Amqp10Client, method: str, path: str, body: Any, status: str) -> None:
    found, why = ask(client, method, path, body)
    assert found == status
    assert status in ("200", "204", "404", "405") or why


def test_answers_wait_for_credit_and_frames(connect: Connect) -> None:
    client = connect(max_frame_size=512)
    client.attach_sender("/management", name="pair", properties=PAIRED)
    client.attach_receiver("/management", name="pair", properties=PAIRED)
    request = proton.Message(id=1, subject="PUT", address="/queues/" + "q" * 200, body={"arguments": {}})
    for _ in range(2):
        assert messages(client.publish(bytes(request.encode()))) == []
    got = messages(client.credit(1))
    assert [each.subject for each in got] == ["201"]
    got = messages(client.credit(1, delivery_count=1, drain=True))
    assert [each.subject for each in got] == ["200"]


def test_links_of_a_pair_need_each_other(connect: Connect) -> None:
    client = connect(Amqp10Settings())
    assert only(Detach, client.attach_sender("/management", name="a")[1:]).error.condition == "amqp:invalid-field"
    client.detach(0)
    client.attach_sender("/management", name="b", properties=PAIRED)
    request = bytes(proton.Message(id=1, subject="GET", address="/queues/q").encode())
    assert only(Detach, client.publish(request)).error.condition == "amqp:invalid-field"


def test_a_request_that_is_none_ends_the_link(client: Amqp10Client) -> None:
    assert only(Detach, client.publish(b"\x00\x53\x77\x40")).error.condition == "amqp:invalid-field"
