"""Credit and windows bound what is sent, also of consumers that wait for messages and have less of them now (2.6.7)."""

from __future__ import annotations

import pytest

from tests.adapters.amqp10.conftest import Connect
from tests.support import core_clients
from tests.support.simulated_amqp10 import Amqp10Client, body_of, messages, of
from warren.adapters.amqp10.codec.performatives import Flow, Transfer
from warren.core.declaring.queues import declare_queue


@pytest.fixture
def client(connect: Connect) -> Amqp10Client:
    """A connection with a session, and an empty queue `q`."""
    made = connect()
    declare_queue(made.connection.logged_in, "q", durable=True)
    return made


def put(client: Amqp10Client, *bodies: bytes, queue: str = "q") -> None:
    """Messages for a queue, by somebody else; the broker hasn't done its turn yet."""
    for body in bodies:
        core_clients.publish(client.simulated, "", body, core_clients.persistent(), queue)


@pytest.mark.parametrize("before", [1, 5])
def test_credit_may_be_taken_away(client: Amqp10Client, before: int) -> None:
    client.attach_receiver("/queues/q")
    client.credit(before)
    client.credit(0)
    put(client, b"one", b"two")
    assert messages(client.take()) == []
    assert [body_of(each) for each in messages(client.credit(1))] == [b"one"]


def test_who_has_drained_has_no_credit(client: Amqp10Client) -> None:
    client.attach_receiver("/queues/q")
    client.credit(15, drain=True)
    put(client, b"late")
    assert messages(client.take()) == []
    assert [body_of(each) for each in messages(client.credit(1, delivery_count=15))] == [b"late"]


def test_links_of_a_session_together_keep_to_its_window(connect: Connect) -> None:
    client = connect(window=3)
    for handle, queue in enumerate(("a", "b", "c"), 1):
        declare_queue(client.connection.logged_in, queue, durable=True)
        client.attach_receiver(f"/queues/{queue}", handle=handle)
        client.credit(10, handle=handle, incoming_window=3)
    for queue in ("a", "b", "c"):
        put(client, *(b"%b%d" % (queue.encode(), number) for number in range(4)), queue=queue)
    got = client.take()
    assert len(of(Transfer, got)) == 3
    more = Flow()
    more.next_incoming_id, more.incoming_window = 3, 5
    rest = client.send(more)
    assert len(of(Transfer, rest)) == 5
    more.next_incoming_id, more.incoming_window = 8, 100
    got += rest + client.send(more)
    assert [each.delivery_id for each in of(Transfer, got)] == list(range(12))
    by_handle: dict[int, list[bytes]] = {handle: [] for handle in (1, 2, 3)}
    for frame, message in zip([each for each in got if isinstance(each.body, Transfer)], messages(got), strict=True):
        by_handle[frame.body.handle].append(body_of(message))
    expected = [[b"%b%d" % (queue, number) for number in range(4)] for queue in (b"a", b"b", b"c")]
    assert list(by_handle.values()) == expected
