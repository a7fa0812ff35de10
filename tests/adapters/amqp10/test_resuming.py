"""Links that are detached and attached again: what is unsettled, for how long, and who is told (part 2, 2.6.13).

Longer than 400 lines because both directions are told by the same attach.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.adapters.amqp10.conftest import Connect
from tests.support.simulated_amqp10 import Amqp10Client, Frame, body_of, data, messages, of, only
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp10 import suspended
from warren.adapters.amqp10.codec.performatives import Attach, Detach, Disposition, Transfer
from warren.adapters.amqp10.codec.sections import DATA, sections_of
from warren.adapters.amqp10.codec.termini import Accepted, Rejected, Released, Source, Target
from warren.adapters.amqp10.codec.values import Described, UInt, ULong
from warren.adapters.amqp10.incoming_link import IncomingLink
from warren.adapters.amqp10.settings import Amqp10Settings
from warren.adapters.amqp10.suspended import suspended_of
from warren.core.declaring.queues import declare_queue, delete_queue

ACCEPTED = Described(ULong(0x24), [])
REJECTED = Described(ULong(0x25), [])
RELEASED = Described(ULong(0x26), [])


def received(section: int, offset: int) -> Described:
    return Described(ULong(0x23), [UInt(section), ULong(offset)])


def source(policy: str | None, timeout: int = 0, address: str | None = "/queues/q") -> Source:
    made = Source()
    made.address = address
    made.expiry_policy = policy
    made.timeout = timeout
    return made


def target(policy: str | None, timeout: int = 0, address: str | None = "/queues/q") -> Target:
    made = Target()
    made.address = address
    made.expiry_policy = policy
    made.timeout = timeout
    return made


@pytest.fixture(autouse=True)
def nothing_suspended(simulated: SimulatedBroker) -> Iterator[None]:
    """What is still kept at the end is given back."""
    yield
    for session in list(simulated.broker.sessions):
        session.force_close("the test is over")
    simulated.settle()
    list(suspended_of(simulated.broker).leave_vhost("/"))


@pytest.fixture
def client(connect: Connect) -> Amqp10Client:
    """With a queue `q` of ten messages."""
    made = connect()
    declare_queue(made.connection.logged_in, "q", durable=True)
    made.attach_sender("/queues/q", handle=200, name="fill")
    for number in range(10):
        made.publish(data(b"%d" % number), handle=200, settled=True)
    made.detach(200)
    return made


def attach(client: Amqp10Client, policy: str | None = "never", timeout: int = 0, **fields: Any) -> Attach:
    """The receiver `r`; the answer."""
    frames = client.attach_receiver(None, name="r", source=source(policy, timeout), **fields)
    found = of(Attach, frames)
    assert len(found) == 1, frames
    answer = found[0]
    assert isinstance(answer, Attach)
    return answer


def lose(client: Amqp10Client) -> None:
    """The connection breaks."""
    client.transport.lose()
    client.simulated.settle()


def bodies(frames: list[Frame]) -> list[Any]:
    return [body_of(each) for each in messages(frames)]


@pytest.mark.parametrize(
    ("asked", "timeout", "told"),
    [
        (None, 5, ("link-detach", 0)),
        ("link-detach", 0, ("link-detach", 0)),
        ("session-end", 7, ("session-end", 7)),
        ("connection-close", 1, ("connection-close", 1)),
        ("never", 0, ("never", 0)),
    ],
)
def test_the_answer_says_how_long_it_is_kept(
    client: Amqp10Client, asked: str | None, timeout: int, told: tuple[str, int]
) -> None:
    answer = attach(client, asked, timeout)
    assert (answer.source.expiry_policy, answer.source.timeout, answer.source.durable) == (*told, 0)
    assert answer.unsettled is None
    (body,) = of(Attach, client.attach_sender(None, handle=5, name="s", target=target(asked, timeout)))
    assert (body.target.expiry_policy, body.target.timeout) == told


def test_an_unknown_policy_is_told(client: Amqp10Client) -> None:
    _, detach = client.attach_receiver(None, source=source("whenever"))
    assert detach.body.error.condition == "amqp:invalid-field"
    assert not client.simulated.queue("q").consumers


def test_settled_links_have_nothing_to_keep(client: Amqp10Client) -> None:
    assert attach(client, "never", snd_settle_mode=1).source.expiry_policy == "link-detach"


def test_what_the_receiver_has_is_sent_again_as_the_delivery_that_it_was(
    client: Amqp10Client, simulated: SimulatedBroker, connect: Connect
) -> None:
    attach(client)
    first = of(Transfer, client.credit(3))
    client.settle(0)
    lose(client)
    queue = simulated.queue("q")
    assert (queue.ready_count, queue.unacked_count) == (7, 2)
    again = connect()
    tags = [each.delivery_tag for each in first]
    answer = attach(again, unsettled={tags[1]: None, tags[2]: None, tags[0]: None})
    assert answer.unsettled == {tags[1]: None, tags[2]: None}
    got = again.credit(3)
    transfers = of(Transfer, got)
    assert [(each.resume, each.delivery_tag) for each in transfers[:2]] == [(True, tags[1]), (True, tags[2])]
    assert (transfers[2].resume, transfers[2].delivery_tag in tags) == (False, False)
    assert bodies(got) == [b"1", b"2", b"3"]
    assert [each.first_acquirer for each in messages(got)] == [False, False, True]
    again.settle(0, 2)
    assert (queue.ready_count, queue.unacked_count) == (6, 0)


def test_what_the_receiver_does_not_know_goes_back_to_the_queue(
    client: Amqp10Client, simulated: SimulatedBroker, connect: Connect
) -> None:
    attach(client)
    client.credit(2)
    lose(client)
    again = connect()
    assert attach(again).unsettled == {}
    assert simulated.queue("q").ready_count == 10
    got = again.credit(1)
    assert [each.resume for each in of(Transfer, got)] == [False]
    assert (bodies(got), messages(got)[0].first_acquirer) == ([b"0"], False)


@pytest.mark.parametrize(
    ("state", "kind", "ready"), [(ACCEPTED, Accepted, 9), (REJECTED, Rejected, 9), (RELEASED, Released, 10)]
)
def test_what_the_receiver_has_decided_is_done_and_concluded(
    client: Amqp10Client, simulated: SimulatedBroker, connect: Connect, state: Described, kind: type, ready: int
) -> None:
    attach(client)
    (transfer,) = of(Transfer, client.credit(1))
    lose(client)
    again = connect()
    frames = again.attach_receiver(None, name="r", source=source("never"), unsettled={transfer.delivery_tag: state})
    (concluded,) = of(Transfer, frames)
    assert (concluded.resume, concluded.settled, concluded.delivery_tag) == (True, True, transfer.delivery_tag)
    assert isinstance(concluded.state, kind)
    assert (simulated.queue("q").ready_count, simulated.queue("q").unacked_count) == (ready, 0)
    (new,) = of(Transfer, again.credit(1))
    assert new.delivery_id == concluded.delivery_id + 1


def test_the_rest_of_a_message_comes_from_where_the_receiver_stopped(
    client: Amqp10Client, simulated: SimulatedBroker, connect: Connect
) -> None:
    client.attach_sender("/queue/large", handle=5)
    content = bytes(range(256)) * 10
    client.publish(data(content), handle=5)
    frames = client.attach_receiver(None, name="r", source=source("never", address="/queues/large"))
    got = client.credit(1)
    whole = b"".join(each.payload for each in got)
    (transfer,) = of(Transfer, got)
    assert len(of(Attach, frames)) == 1
    lose(client)
    again = connect(max_frame_size=512)
    sections = sections_of(whole)
    number = next(index for index, section in enumerate(sections) if section.code == DATA)
    again.attach_receiver(
        None,
        name="r",
        source=source("never", address="/queues/large"),
        unsettled={transfer.delivery_tag: received(number, 1000)},
    )
    got = again.credit(1)
    transfers = of(Transfer, got)
    assert [each.resume for each in transfers] == [True] + [False] * (len(transfers) - 1)
    assert len(transfers) > 2
    assert b"".join(each.payload for each in got) == whole[sections[number].at + 1000 :]
    again.settle(transfers[0].delivery_id)
    assert simulated.queue("large").unacked_count == 0


def test_what_stopped_within_the_annotations_begins_anew(
    client: Amqp10Client, simulated: SimulatedBroker, connect: Connect
) -> None:
    attach(client)
    (transfer,) = of(Transfer, client.credit(1))
    lose(client)
    again = connect()
    attach(again, unsettled={transfer.delivery_tag: received(1, 3)})
    got = again.credit(2)
    aborted, new = of(Transfer, got)
    assert (aborted.aborted, aborted.resume, aborted.delivery_tag) == (True, True, transfer.delivery_tag)
    assert (new.resume, new.aborted) == (False, False)
    assert bodies(got[1:]) == [b"0"]
    assert simulated.queue("q").unacked_count == 1


def test_an_incomplete_map_brings_nothing_new(
    client: Amqp10Client, simulated: SimulatedBroker, connect: Connect
) -> None:
    attach(client)
    first = of(Transfer, client.credit(3))
    lose(client)
    again = connect()
    answer = attach(again, unsettled={first[0].delivery_tag: None}, incomplete_unsettled=True)
    assert set(answer.unsettled or {}) == {each.delivery_tag for each in first}
    assert bodies(again.credit(10)) == [b"0"]
    again.detach(1, closed=False)
    assert simulated.queue("q").unacked_count == 3
    attach(again, unsettled={each.delivery_tag: None for each in first})
    assert bodies(again.credit(10, next_incoming_id=1)) == [b"%d" % number for number in range(10)]


def test_a_link_is_resumed_in_the_same_session(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    attach(client, "session-end")
    (transfer,) = of(Transfer, client.credit(1))
    assert only(Detach, client.detach(1, closed=False)).closed is False
    assert not simulated.queue("q").consumers
    assert simulated.queue("q").unacked_count == 1
    assert attach(client, "session-end", unsettled={transfer.delivery_tag: None}).unsettled == {
        transfer.delivery_tag: None
    }
    client.detach(1, closed=False)
    client.end()
    assert (simulated.queue("q").ready_count, len(suspended_of(simulated.broker))) == (10, 0)


def test_closing_keeps_nothing(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    attach(client)
    client.credit(1)
    client.detach(1)
    assert simulated.queue("q").ready_count == 10
    assert attach(client).unsettled is None


EXPIRIES = [
    ("link-detach", 2, "detach", 2),
    ("session-end", 0, "detach", None),
    ("session-end", 0, "end", 0),
    ("session-end", 3, "end", 3),
    ("connection-close", 0, "end", None),
    ("connection-close", 0, "lose", 0),
    ("connection-close", 9, "lose", 9),
    ("session-end", 2, "lose", 2),
    ("never", 0, "lose", None),
]


@pytest.mark.parametrize(("policy", "timeout", "event", "after_s"), EXPIRIES)
def test_policies_and_timeouts(
    client: Amqp10Client, simulated: SimulatedBroker, policy: str, timeout: int, event: str, after_s: int | None
) -> None:
    queue = simulated.queue("q")
    attach(client, policy, timeout)
    client.credit(2)
    if event == "detach":
        client.detach(1, closed=False)
    elif event == "end":
        client.end()
    else:
        lose(client)
    if after_s:
        simulated.advance(after_s * 1000 - 1)
        assert queue.unacked_count == 2
        simulated.advance(1)
    else:
        simulated.advance(1000)
    assert queue.unacked_count == (2 if after_s is None else 0)
    assert queue.ready_count == (8 if after_s is None else 10)


def test_the_acknowledgement_timeout_bounds_what_is_kept(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    attach(client)
    client.credit(2)
    lose(client)
    simulated.advance(30 * 60_000 - 1)
    assert simulated.queue("q").unacked_count == 2
    simulated.advance(1)
    assert simulated.queue("q").ready_count == 10


def test_a_link_whose_connection_is_not_known_to_be_lost_is_taken_from_there(
    client: Amqp10Client, connect: Connect
) -> None:
    attach(client)
    (transfer,) = of(Transfer, client.credit(1))
    again = connect()
    assert attach(again, unsettled={transfer.delivery_tag: None}).unsettled == {transfer.delivery_tag: None}
    assert only(Detach, client.take()).error.condition == "amqp:link:stolen"
    assert bodies(again.credit(1)) == [b"0"]


def test_links_of_one_name_that_keep_nothing_leave_each_other_alone(client: Amqp10Client, connect: Connect) -> None:
    attach(client, None)
    again = connect()
    attach(again, None)
    assert client.take() == []
    assert bodies(client.credit(1)) == [b"0"]


def test_another_container_has_nothing_of_it(client: Amqp10Client, connect: Connect) -> None:
    attach(client)
    (transfer,) = of(Transfer, client.credit(1))
    lose(client)
    other = connect(container_id="other")
    assert attach(other, unsettled={transfer.delivery_tag: None}).unsettled is None


def test_another_source_gives_back_what_was_kept(
    client: Amqp10Client, simulated: SimulatedBroker, connect: Connect
) -> None:
    attach(client)
    client.credit(1)
    lose(client)
    again = connect()
    again.attach_receiver(None, name="r", source=source("never", address="/queue/other"))
    assert simulated.queue("q").ready_count == 10


def test_what_was_not_sent_again_is_kept_once_more(
    client: Amqp10Client, simulated: SimulatedBroker, connect: Connect
) -> None:
    attach(client)
    tags = {each.delivery_tag: None for each in of(Transfer, client.credit(3))}
    for _ in range(3):
        lose(client)
        client = connect()
        assert attach(client, unsettled=dict(tags)).unsettled == tags
        assert bodies(client.credit(1)) == [b"0"]
    client.detach(1)
    assert simulated.queue("q").ready_count == 10


def test_tags_of_another_attachment_are_others(client: Amqp10Client, connect: Connect) -> None:
    attach(client)
    (first,) = of(Transfer, client.credit(1))
    lose(client)
    again = connect()
    attach(again, unsettled={first.delivery_tag: None})
    tags = [each.delivery_tag for each in of(Transfer, again.credit(5))]
    assert len(set(tags)) == 5
    assert tags[0] == first.delivery_tag


def test_a_map_that_does_not_fit_is_cut_and_the_rest_goes_back(
    client: Amqp10Client, simulated: SimulatedBroker, connect: Connect
) -> None:
    client.attach_sender("/queues/q", handle=200, name="fill")
    for number in range(100):
        client.publish(data(b"%d" % number), handle=200, settled=True)
    attach(client)
    transfers = of(Transfer, client.credit(110))
    lose(client)
    again = connect(max_frame_size=512)
    frames = again.attach_receiver(
        None, name="r", source=source("never"), unsettled={each.delivery_tag: None for each in transfers[:40]}
    )
    (answer,) = of(Attach, frames)
    kept = len(answer.unsettled)
    assert 10 < kept <= 40
    assert simulated.queue("q").ready_count == 110 - kept


@pytest.mark.interpreted("makes a constant smaller, which the compiled form holds by value")
def test_no_more_is_kept_than_the_limits_say(
    client: Amqp10Client, simulated: SimulatedBroker, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suspended, "LINKS_MAX", 2)
    for number in range(3):
        client.attach_receiver(None, handle=number, name=f"r{number}", source=source("never"))
        client.credit(1, handle=number)
    lose(client)
    links = suspended_of(simulated.broker)
    assert len(links) == 2
    assert simulated.queue("q").ready_count == 8
    assert simulated.broker.limit_hits.of("suspended links of amqp10") == 1


def test_a_deleted_queue_leaves_nothing(client: Amqp10Client, simulated: SimulatedBroker, connect: Connect) -> None:
    attach(client)
    client.credit(1)
    lose(client)
    again = connect()
    delete_queue(again.connection.logged_in, "q")
    declare_queue(again.connection.logged_in, "q", durable=True)
    assert attach(again).unsettled is None
    assert simulated.queue("q").ready_count == 0


def test_a_queue_that_goes_with_its_last_consumer_waits_for_the_link(
    client: Amqp10Client, simulated: SimulatedBroker
) -> None:
    declare_queue(client.connection.logged_in, "passing", auto_delete=True)
    client.attach_receiver(None, name="r", source=source("link-detach", 5, "/queues/passing"))
    client.detach(1, closed=False)
    assert "passing" in simulated.vhost.queues
    simulated.advance(5000)
    assert "passing" not in simulated.vhost.queues


def test_what_a_deleted_user_had_goes_back(client: Amqp10Client, simulated: SimulatedBroker, connect: Connect) -> None:
    attach(client)
    client.credit(2)
    lose(client)
    simulated.broker.users.delete_user("guest")
    simulated.settle()
    assert simulated.queue("q").ready_count == 10


def test_a_restart_forgets_links_and_has_the_messages(durable: SimulatedBroker) -> None:
    client = Amqp10Client(durable).open().begin()
    client.attach_sender("/queue/q", handle=0)
    client.publish(b"\x00\x53\x70\xc0\x02\x01\x41" + data(b"x"))
    attach(client)
    (transfer,) = of(Transfer, client.credit(1))
    durable.restart()
    again = Amqp10Client(durable).open().begin()
    assert attach(again, unsettled={transfer.delivery_tag: None}).unsettled is None
    assert bodies(again.credit(1)) == [b"x"]


# The peer sends


def attach_sender(client: Amqp10Client, policy: str | None = "never", second: int = 1, **fields: Any) -> Attach:
    body = only(
        Attach,
        [
            each
            for each in client.attach_sender(None, name="s", target=target(policy), rcv_settle_mode=second, **fields)
            if isinstance(each.body, Attach)
        ],
    )
    assert isinstance(body, Attach)
    return body


def publishing(client: Amqp10Client) -> IncomingLink:
    """The only link of its session."""
    (link,) = client.connection.sessions[0].links.values()
    assert isinstance(link, IncomingLink)
    return link


def test_a_receiver_that_settles_second_waits_for_the_sender(client: Amqp10Client) -> None:
    assert attach_sender(client, None).rcv_settle_mode == 1
    (told,) = of(Disposition, client.publish(data(b"x"), delivery_id=7))
    assert (told.role, told.first, told.settled, type(told.state)) == (True, 7, False, Accepted)
    link = publishing(client)
    assert len(link.taken) == 1
    done = Disposition()
    done.first = 7
    done.settled = True
    assert of(Disposition, client.send(done)) == []
    assert not link.taken
    assert link.unconfirmed == 0


def test_what_the_sender_has_not_settled_bounds_its_credit(connect: Connect) -> None:
    client = connect(Amqp10Settings(link_credit=4))
    declare_queue(client.connection.logged_in, "q")
    attach_sender(client, None)
    for number in range(4):
        client.publish(data(b"x"), delivery_id=number)
    link = publishing(client)
    assert link.credit == 0
    done = Disposition()
    done.first, done.last, done.settled = 0, 3, True
    client.send(done)
    assert link.credit == 4


def test_a_sender_learns_what_became_of_its_deliveries(
    client: Amqp10Client, simulated: SimulatedBroker, connect: Connect
) -> None:
    attach_sender(client)
    client.publish(data(b"x"), delivery_tag=b"one")
    client.publish(data(b"y"), delivery_tag=b"two")
    lose(client)
    again = connect()
    answer = attach_sender(again, unsettled={b"one": None, b"three": None})
    assert answer.unsettled == {b"one": ACCEPTED}
    resumed = again.publish(b"", delivery_tag=b"one", resume=True, delivery_id=0)
    (told,) = of(Disposition, resumed)
    assert (told.first, told.settled, type(told.state)) == (0, False, Accepted)
    again.publish(data(b"z"), delivery_tag=b"three", delivery_id=1)
    assert simulated.queue("q").ready_count == 13


def test_a_sender_that_settles_by_resuming_is_done(client: Amqp10Client, connect: Connect) -> None:
    attach_sender(client)
    client.publish(data(b"x"), delivery_tag=b"one")
    lose(client)
    again = connect()
    attach_sender(again, unsettled={b"one": ACCEPTED})
    assert of(Disposition, again.publish(b"", delivery_tag=b"one", resume=True, settled=True, delivery_id=0)) == []
    link = publishing(again)
    assert not link.taken


def test_an_unknown_resumed_delivery_is_ignored(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    attach_sender(client)
    assert of(Disposition, client.publish(data(b"x"), delivery_tag=b"one", resume=True)) == []
    assert simulated.queue("q").ready_count == 10


def test_what_waits_for_the_disk_is_told_when_the_link_is_back(durable: SimulatedBroker) -> None:
    client = Amqp10Client(durable).open().begin()
    declare_queue(client.connection.logged_in, "q", durable=True)
    durable.settle()
    attach_sender(client)
    durable.commits_by_itself = False
    client.publish(b"\x00\x53\x70\xc0\x02\x01\x41" + data(b"x"), delivery_tag=b"one")
    lose(client)
    again = Amqp10Client(durable).open().begin()
    assert attach_sender(again, unsettled={b"one": None}).unsettled == {b"one": None}
    assert of(Disposition, again.publish(b"", delivery_tag=b"one", resume=True, delivery_id=0)) == []
    durable.commits_by_itself = True
    (told,) = of(Disposition, again.take())
    assert (told.first, type(told.state)) == (0, Accepted)
    assert durable.queue("q").ready_count == 1


@pytest.mark.parametrize(
    "unsettled",
    [{UInt(1): None}, {b"x": Described(ULong(0x28), [])}, {b"x": Described(ULong(0x99), [])}, {b"x": True}],
)
def test_maps_that_are_none_are_told(client: Amqp10Client, simulated: SimulatedBroker, unsettled: Any) -> None:
    frames = client.attach_receiver(None, name="r", source=source("never"), unsettled=unsettled)
    assert frames[-1].body.error.condition in ("amqp:invalid-field", "amqp:decode-error")
    assert not simulated.queue("q").consumers
