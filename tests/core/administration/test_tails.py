"""A look at what comes to queues and exchanges, which takes nothing away."""

from __future__ import annotations

import pytest

from tests.support.core_clients import bind, exchange, persistent, publish, queue, take, with_headers
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp091.codec import methods
from warren.core.access.accounts import User
from warren.core.access.rights import Rights
from warren.core.administration import stream_tails, tails
from warren.core.administration.operations import exchanges, queues
from warren.core.administration.stream_tails import StreamTail
from warren.core.administration.tails import Tail, Tailed, message_filter
from warren.core.errors import AccessRefused, NotFound, PreconditionFailed


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


def begin(broker: SimulatedBroker, user: str | None = None, **tailed: object) -> Tail:
    return tails.begin(broker.vhost, Tailed(**tailed), user=user)  # type: ignore[arg-type]


def bodies(tail: Tail) -> list[bytes]:
    return [each.body for each in tail.take(1000)[0]]


@pytest.mark.parametrize("arguments", [{}, {"x-max-length": 1000, "x-overflow": "reject-publish"}])
def test_a_queue_whose_routes_are_remembered(broker: SimulatedBroker, arguments: dict[str, str | int]) -> None:
    looked_at = queue(broker, "q", arguments)
    client = broker.connect()
    for _ in range(3):
        client.publish("q", b"before")
    tail = begin(broker, queue="q")
    for number in range(3):
        client.publish("q", str(number).encode())
    assert bodies(tail) == [b"0", b"1", b"2"]
    assert looked_at.ready_count == 6, "nothing was taken"
    tail.end()
    client.publish("q", b"after")
    broker.settle()
    assert bodies(tail) == []
    assert take(looked_at) == [b"before"] * 3 + [b"0", b"1", b"2", b"after"]


def test_what_a_full_queue_refuses_isnt_seen(broker: SimulatedBroker) -> None:
    queue(broker, "q", {"x-max-length": 1, "x-overflow": "reject-publish"})
    tail = begin(broker, queue="q")
    for body in (b"taken", b"refused"):
        publish(broker, "", body, None, "q")
    assert bodies(tail) == [b"taken"]


def test_two_look_and_one_ends(broker: SimulatedBroker) -> None:
    queue(broker, "q")
    first, second = begin(broker, queue="q"), begin(broker, queue="q")
    publish(broker, "", b"1", None, "q")
    first.end()
    publish(broker, "", b"2", None, "q")
    assert (bodies(first), bodies(second)) == ([b"1"], [b"1", b"2"])
    second.end()
    assert not broker.queue("q").guarded
    assert broker.broker.tails == set()


@pytest.mark.parametrize("type_name", ["topic", "fanout", "direct"])
def test_an_exchange_by_pattern(broker: SimulatedBroker, type_name: str) -> None:
    exchange(broker, "x", type_name)
    to = queue(broker, "to")
    bind(broker, "to", "x", "a.b")
    publish(broker, "x", b"before", None, "a.b")
    tail = begin(broker, exchange="x", pattern="a.*")
    for key in ("a.b", "a.c", "b.a"):
        publish(broker, "x", key.encode(), None, key)
    assert bodies(tail) == [b"a.b", b"a.c"], "also what leads nowhere"
    tail.end()
    publish(broker, "x", b"after", None, "a.b")
    assert bodies(tail) == []
    assert to.ready_count >= 3


def test_from_exchange_to_exchange(broker: SimulatedBroker) -> None:
    exchange(broker, "in", "fanout")
    exchange(broker, "next", "fanout")
    bind(broker, "next", "in", "", "exchange")
    tail = begin(broker, exchange="next")
    publish(broker, "in", b"1")
    assert bodies(tail) == [b"1"]


def test_only_what_is_wanted(broker: SimulatedBroker) -> None:
    queue(broker, "q")
    tail = begin(broker, queue="q", wanted=message_filter({"header.type": "a", "body": "or"}))
    publish(broker, "", b"order", with_headers(type="a"), "q")
    publish(broker, "", b"order", with_headers(type="b"), "q")
    publish(broker, "", b"other", persistent(type="a"), "q")
    assert bodies(tail) == [b"order"]


def test_who_reads_slowly_is_told_what_it_missed(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tails, "ROW_MESSAGES_MAX", 3)
    queue(broker, "q")
    tail = begin(broker, queue="q")
    woken: list[None] = []
    tail.wake = lambda: woken.append(None)
    for number in range(5):
        publish(broker, "", str(number).encode(), None, "q")
    assert len(woken) == 1
    found, missed = tail.take(2)
    assert ([each.body for each in found], missed) == ([b"0", b"1"], 2)
    monkeypatch.setattr(tails, "ROW_BYTES_MAX", 10)
    publish(broker, "", b"x" * 20, None, "q")
    publish(broker, "", b"y", None, "q")
    found, missed = tail.take(10)
    assert ([len(each.body) for each in found], missed) == ([1, 20], 1)


def test_it_is_over_when_the_queue_goes(broker: SimulatedBroker) -> None:
    queue(broker, "q")
    exchange(broker, "x", "fanout")
    one, other = begin(broker, queue="q"), begin(broker, exchange="x")
    assert (one.is_over, other.is_over) == (False, False)
    woken = []
    one.wake = lambda: woken.append("one")
    other.wake = lambda: woken.append("other")
    queues.delete(broker.broker, "/", "q")
    exchanges.delete(broker.broker, "/", "x")
    assert (one.is_over, other.is_over) == (True, True)
    assert woken == ["one", "other"]
    one.end()
    other.end()
    assert not broker.broker.watchers


def test_what_cant_be_looked_at(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    queue(broker, "q")
    for tailed in ({"queue": "none"}, {"exchange": "none"}):
        with pytest.raises(NotFound):
            begin(broker, **tailed)
    for wrong in ({}, {"queue": "q", "exchange": "amq.topic"}, {"exchange": ""}, {"exchange": "amq.default"}):
        with pytest.raises(PreconditionFailed):
            begin(broker, **wrong)
    monkeypatch.setattr(tails, "TAILS_MAX", 1)
    begin(broker, queue="q")
    with pytest.raises(PreconditionFailed, match="look at queues"):
        begin(broker, queue="q")


def test_permissions(broker: SimulatedBroker) -> None:
    queue(broker, "q")
    users = broker.broker.users
    users.add_user("anne", "secret")
    users.set_permissions("anne", "/", "", "", "^amq.topic$")
    users.set_topic_permissions("anne", "/", "amq.topic", "", "^mine")
    with pytest.raises(AccessRefused):
        begin(broker, "anne", queue="q")
    with pytest.raises(AccessRefused):
        begin(broker, "anne", exchange="amq.topic")
    assert begin(broker, "anne", exchange="amq.topic", pattern="mine.#") is not None


def test_a_transaction_is_seen_when_it_is_committed(broker: SimulatedBroker) -> None:
    looked_at = queue(broker, "q")
    client = broker.connect()
    client.send(1, methods.TxSelect())
    tail = begin(broker, queue="q")
    for number in range(3):
        client.publish("q", str(number).encode())
    broker.settle()
    assert bodies(tail) == []
    client.send(1, methods.TxCommit())
    broker.settle()
    assert bodies(tail) == [b"0", b"1", b"2"]
    assert looked_at.ready_count == 3


@pytest.fixture
def alice(broker: SimulatedBroker) -> User:
    """May read everything in "/"."""
    made = broker.broker.users.add_user("alice", "secret")
    broker.broker.users.set_permissions("alice", "/", "", "", ".*")
    return made


def set_read(broker: SimulatedBroker, pattern: str) -> None:
    broker.broker.users.set_permissions("alice", "/", "", "", pattern)
    broker.settle()


def begun(broker: SimulatedBroker, kind: str, user: User | str) -> Tail | StreamTail:
    if kind == "stream":
        queue(broker, "q", {"x-queue-type": "stream"}, durable=True)
        return stream_tails.begin(broker.vhost, Tailed(queue="q"), "first", user=user)
    if kind == "queue":
        queue(broker, "q")
        return tails.begin(broker.vhost, Tailed(queue="q"), user=user)
    exchange(broker, "q", "topic")
    return tails.begin(broker.vhost, Tailed(exchange="q", pattern="a.#"), user=user)


KINDS = ["queue", "exchange", "stream"]


def leave_as(broker: SimulatedBroker, how: str) -> None:
    users = broker.broker.users
    if how == "read":
        users.set_permissions("alice", "/", "", "", "other")
    elif how == "cleared":
        users.clear_permissions("alice", "/")
    elif how == "deleted":
        users.delete_user("alice")
    else:
        users.delete_user("alice")
        users.add_user("alice", "again")
        users.set_permissions("alice", "/", "", "", ".*")
    broker.settle()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["read", "cleared", "deleted", "deleted and added"])
def test_it_ends_with_the_rights_of_its_user(
    broker: SimulatedBroker, alice: User, kind: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    tail = begun(broker, kind, alice)
    woken: list[bool] = []
    tail.wake = lambda: woken.append(True)
    publish(broker, "" if kind != "exchange" else "q", b"secret", None, "q" if kind != "exchange" else "a.b")
    broker.settle()
    set_read(broker, "q")
    assert not tail.is_over
    woken.clear()
    leave_as(broker, how)
    assert tail.is_over
    assert woken == [True]
    assert tail.take(10) == ([], 0), "nothing more is shown"
    assert "a look of user 'alice' at " in caplog.text
    tail.end()
    assert broker.broker.tails == set()


@pytest.mark.parametrize("kind", KINDS)
def test_the_rights_of_others_dont_matter(broker: SimulatedBroker, alice: User, kind: str) -> None:
    broker.broker.users.add_user("bob", "secret")
    broker.broker.users.set_permissions("bob", "/", "", "", ".*")
    tail = begun(broker, kind, "bob")
    leave_as(broker, "deleted")
    assert not tail.is_over
    tail.end()


def test_a_topic_that_may_not_be_read_any_more(broker: SimulatedBroker, alice: User) -> None:
    tail = begun(broker, "exchange", alice)
    broker.broker.users.set_topic_permissions("alice", "/", "q", "", "b")
    broker.settle()
    assert tail.is_over
    tail.end()


def test_one_that_has_ended_is_no_matter(broker: SimulatedBroker, alice: User) -> None:
    tail = begun(broker, "exchange", alice)
    exchanges.delete(broker.broker, "/", "q")
    leave_as(broker, "read")
    assert tail.is_over
    tail.end()
    leave_as(broker, "cleared")


class _Token(Rights):
    """Rights that somebody has by a token."""

    def __init__(self, expires_at_ms: int) -> None:
        self._expires_at_ms = expires_at_ms
        self.name = "carol"
        self.may_read = True

    @property
    def expires_at_ms(self) -> int | None:
        return self._expires_at_ms

    def check(self, vhost: str, kind: str, name: str, verb: str) -> None:
        if not self.may_read:
            raise AccessRefused("it may be read no more")

    def check_topic(self, *rest: object) -> None:
        pass


@pytest.mark.parametrize("how", ["expires", "is answered otherwise"])
@pytest.mark.parametrize("kind", KINDS)
def test_rights_of_other_back_ends(broker: SimulatedBroker, kind: str, how: str) -> None:
    token = _Token(broker.broker.now_ms + 5000)
    carol = User("carol", "", "", frozenset(), rights=token)
    tail = begun(broker, kind, carol)
    broker.advance(4500)
    assert not tail.is_over
    if how == "expires":
        broker.advance(1000)
    else:
        token.may_read = False
        broker.broker.rechecks.begin()
        broker.settle()
    assert tail.is_over
    tail.end()
    assert broker.timers <= 1, "nothing is left but the last look at rights"
