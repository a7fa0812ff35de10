"""Direct reply-to: answers without a reply queue, to a consumer on `amq.rabbitmq.reply-to` (A.5, A.7)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import (
    Delivery,
    Inbox,
    Refusal,
    Workbench,
    assert_refused,
    channel_refusal,
    refusal_of,
    send,
    synchronise,
)

REPLY_TO = "amq.rabbitmq.reply-to"


class Conversation:
    """A requester with a reply consumer, and a responder that has received its first request."""

    def __init__(self, bench: Workbench) -> None:
        self.requester, self.responder = bench.channel(), bench.channel()
        self.requests = bench.queue(self.responder)
        self.inbox = Inbox(self.responder, self.requests, auto_ack=True)
        self.replies = Inbox(self.requester, REPLY_TO, auto_ack=True)
        send(self.requester, "", self.requests, b"request", reply_to=REPLY_TO, correlation_id="7")
        self.request = self.inbox.wait(1)[0]

    @property
    def address(self) -> str:
        assert self.request.properties.reply_to is not None
        return str(self.request.properties.reply_to)


@pytest.fixture
def conversation(bench: Workbench) -> Conversation:
    return Conversation(bench)


def test_request_and_reply(conversation: Conversation) -> None:
    assert conversation.address.startswith(REPLY_TO + ".")
    assert conversation.request.properties.correlation_id == "7"
    send(conversation.responder, "", conversation.address, b"reply", correlation_id="7")
    [reply] = conversation.replies.wait(1)
    assert (reply.body, reply.properties.correlation_id) == (b"reply", "7")
    assert (reply.exchange, reply.routing_key) == ("", conversation.address)
    assert (reply.tag, reply.redelivered) == (1, False)


def test_many_requests_and_replies_keep_their_order(conversation: Conversation) -> None:
    for number in range(50):
        body = str(number).encode()
        send(conversation.requester, "", conversation.requests, body, reply_to=REPLY_TO)
    for request in conversation.inbox.wait(51)[1:]:
        assert request.properties.reply_to is not None
        send(conversation.responder, "", request.properties.reply_to, request.body)
    assert conversation.replies.bodies(50) == [str(number).encode() for number in range(50)]


def test_the_reply_consumer_cannot_acknowledge(channel: BlockingChannel) -> None:
    with channel_refusal(406, "PRECONDITION_FAILED - reply consumer cannot acknowledge"):
        Inbox(channel, REPLY_TO, auto_ack=False)


def test_one_reply_consumer_for_each_channel(bench: Workbench, channel: BlockingChannel) -> None:
    Inbox(channel, REPLY_TO, auto_ack=True)
    Inbox(channel.connection.channel(), REPLY_TO, auto_ack=True)
    with channel_refusal(406, "PRECONDITION_FAILED - reply consumer already set"):
        Inbox(channel, REPLY_TO, auto_ack=True)


def test_a_cancelled_reply_consumer_makes_room(bench: Workbench, channel: BlockingChannel) -> None:
    first = Inbox(channel, REPLY_TO, auto_ack=True)
    channel.basic_cancel(first.tag)
    second = Inbox(channel, REPLY_TO, auto_ack=True)
    requests = bench.queue(channel)
    inbox = Inbox(channel, requests, auto_ack=True)
    send(channel, "", requests, b"request", reply_to=REPLY_TO)
    [request] = inbox.wait(1)
    assert request.properties.reply_to is not None
    send(channel, "", request.properties.reply_to, b"reply")
    assert second.bodies(1) == [b"reply"]
    assert first.deliveries == []


def test_requests_need_a_reply_consumer_on_their_channel(conversation: Conversation) -> None:
    other = conversation.requester.connection.channel()
    refusal = Refusal("channel", 406, "PRECONDITION_FAILED - fast reply consumer does not exist")
    actual = refusal_of(lambda: send(other, "", conversation.requests, b"request", reply_to=REPLY_TO), other)
    assert_refused(actual, refusal)


def test_replies_do_not_cross_channels(conversation: Conversation) -> None:
    other = conversation.requester.connection.channel()
    others_replies = Inbox(other, REPLY_TO, auto_ack=True)
    send(other, "", conversation.requests, b"request", reply_to=REPLY_TO)
    request = conversation.inbox.wait(2)[1]
    assert request.properties.reply_to not in (None, conversation.address)
    send(conversation.responder, "", conversation.address, b"to the first")
    send(conversation.responder, "", str(request.properties.reply_to), b"to the second")
    assert others_replies.bodies(1) == [b"to the second"]
    assert conversation.replies.bodies(1) == [b"to the first"]


@pytest.mark.parametrize("passive", [False, True])
def test_declaring_the_address_tells_whether_the_requester_lives(conversation: Conversation, passive: bool) -> None:
    declared = conversation.responder.queue_declare(conversation.address, passive=passive).method
    assert (declared.queue, declared.message_count, declared.consumer_count) == (conversation.address, 0, 1)
    conversation.requester.connection.close()
    with channel_refusal(404, f"NOT_FOUND - no queue '{conversation.address}' in vhost '/'"):
        conversation.responder.queue_declare(conversation.address, passive=passive)


def test_replies_to_a_requester_that_is_gone_are_dropped(conversation: Conversation) -> None:
    """They count as routed all the same: neither a return nor an error."""
    conversation.requester.connection.close()
    conversation.responder.confirm_delivery()
    conversation.responder.basic_publish("", conversation.address, b"reply", mandatory=True)
    synchronise(conversation.responder)


def test_replies_to_a_cancelled_consumer_are_dropped(conversation: Conversation) -> None:
    conversation.requester.basic_cancel(conversation.replies.tag)
    send(conversation.responder, "", conversation.address, b"reply")
    synchronise(conversation.responder)
    synchronise(conversation.requester)
    assert conversation.replies.deliveries == []


def test_only_the_reply_to_property_is_rewritten(conversation: Conversation) -> None:
    send(conversation.requester, "", conversation.requests, b"1", reply_to="amq.rabbitmq.reply-to.mine")
    send(conversation.requester, "", conversation.requests, b"2", headers={"a": 1}, reply_to=REPLY_TO)
    _, first, second = conversation.inbox.wait(3)
    assert first.properties.reply_to == "amq.rabbitmq.reply-to.mine"
    assert second.properties.headers == {"a": 1}
    assert second.properties.reply_to == conversation.address


def test_a_chain_of_requests_keeps_the_address(bench: Workbench, conversation: Conversation) -> None:
    """A responder may pass the request on; who answers in the end answers the requester."""
    last = bench.channel()
    queue = bench.queue(last)
    inbox = Inbox(last, queue, auto_ack=True)
    send(conversation.responder, "", queue, b"passed on", reply_to=conversation.address)
    passed: Delivery = inbox.wait(1)[0]
    assert passed.properties.reply_to == conversation.address
    send(last, "", conversation.address, b"from the last")
    assert conversation.replies.bodies(1) == [b"from the last"]


PSEUDO_QUEUE: list[tuple[str, Callable[[BlockingChannel, str], object]]] = [
    ("bind", lambda channel, queue: channel.queue_bind(queue, "amq.direct", "key")),
    ("unbind", lambda channel, queue: channel.queue_unbind(queue, "amq.direct", "key")),
]


@pytest.mark.parametrize("own", [True, False], ids=["short name", "address"])
@pytest.mark.parametrize("action", [pytest.param(row[1], id=row[0]) for row in PSEUDO_QUEUE])
def test_binding_the_pseudo_queue_is_refused(
    conversation: Conversation,
    expected: Callable[[Refusal | None], Refusal | None],
    action: Callable[[BlockingChannel, str], object],
    own: bool,
) -> None:
    queue = REPLY_TO if own else conversation.address
    channel = conversation.requester
    assert_refused(refusal_of(lambda: action(channel, queue), channel), expected(Refusal("channel", 403, queue)))
