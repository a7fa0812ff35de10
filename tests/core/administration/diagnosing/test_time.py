"""What is said of times, on a broker whose clock the test moves; and how much is done at a time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from tests.support.core_broker import core_broker
from warren.core.administration import operations
from warren.core.administration.diagnosing.examination import PLACES_MAX, WORK_PER_SLICE
from warren.core.administration.diagnosing.surroundings import Surroundings
from warren.core.administration.diagnosing.words import counted, mebibytes, span
from warren.core.brief import MESSAGES_MAX, OWNERS_MAX, PERIOD_MS, Brief, BriefLives, stem
from warren.core.declaring.queues import create_queue
from warren.core.errors import NotFound
from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.messages.properties import EMPTY

if TYPE_CHECKING:
    from warren.core.administration.listing.channels import ChannelRow
    from warren.core.broker import SessionEntry
    from warren.core.queues.base import Queue
    from warren.core.queues.unacked import Unacked


def test_words() -> None:
    assert [counted(1, "queue"), counted(1234, "queue"), counted(2, "policy", "policies")] == [
        "1 queue",
        "1,234 queues",
        "2 policies",
    ]
    assert [span(each * 1000) for each in (0, 59, 60, 3600 * 3 + 720, 86_400 * 3, 90_061)] == [
        "0 s",
        "59 s",
        "1 min 0 s",
        "3 h 12 min",
        "3 d",
        "1 d 1 h",
    ]
    assert mebibytes(3 * 2**20) == "3 MiB"


def test_what_ended_is_told_for_two_periods() -> None:
    lives, whose = BriefLives(), Brief("connection", "/", "ada", "10.0.0.1 (AMQP 0-9-1)")
    for _ in range(3):
        lives.ended(whose, 100, 1, PERIOD_MS - 1)
    lives.ended(whose, 100, 1, PERIOD_MS)
    assert list(lives.counts(PERIOD_MS)) == [(whose, 4)]
    assert list(lives.counts(2 * PERIOD_MS)) == [(whose, 1)]
    assert list(lives.counts(4 * PERIOD_MS)) == []


def test_what_lived_long_or_had_much_is_not_counted() -> None:
    lives, whose = BriefLives(), Brief("queue", "/", "ada", "answers-")
    lives.ended(whose, 10_001, 0, 0)
    lives.ended(whose, 0, MESSAGES_MAX + 1, 0)
    assert list(lives.counts(0)) == []


def test_who_was_quiet_longest_makes_room() -> None:
    lives = BriefLives()
    for number in range(OWNERS_MAX + 1):
        lives.ended(Brief("queue", "/", "", "first"), 0, 0, 0)
        lives.ended(Brief("queue", "/", "", f"other {number}"), 0, 0, 0)
    names = [whose.where for whose, _ in lives.counts(0)]
    assert len(names) == OWNERS_MAX
    assert "first" in names
    assert "other 0" not in names


@pytest.mark.parametrize(
    ("name", "beginning"), [("reply-17", "reply-"), ("amq.gen-abc", "amq.gen-"), ("orders", "orders"), ("7", "")]
)
def test_how_names_begin(name: str, beginning: str) -> None:
    assert stem(name) == beginning


def test_many_places_are_one_finding_in_slices() -> None:
    broker = core_broker()
    for number in range(3 * WORK_PER_SLICE):
        create_queue(broker.vhosts["/"], f"q{number}")
    steps = operations.doctor.examine(broker, Surroundings(), patience_ms=0)
    slices = 0
    while steps.step():
        slices += 1
    assert slices >= 3
    (found,) = (each for each in steps.result.findings if each.code == "transient-queue")
    assert (found.count, len(found.places)) == (3 * WORK_PER_SLICE, PLACES_MAX)


def test_an_unknown_virtual_host() -> None:
    with pytest.raises(NotFound):
        operations.doctor.examine(core_broker(), Surroundings(), patience_ms=0, vhost="none")
    with pytest.raises(NotFound):
        operations.doctor.look(core_broker(), "none")


class _Held:
    """A session with one channel that holds a message, as the watch of the acknowledgement timeout sees it."""

    def __init__(self, queue: Queue) -> None:
        self.delivery_tag = 1
        self.delivery_notes: list[tuple[int, int]] = []
        self.unacked: Unacked = {1: (queue, Message(1, Address("", "orders"), EMPTY, b"", 0, 0, 0, 0), None)}

    def connection_row(self) -> SimpleNamespace:
        return SimpleNamespace(name="held", client=None)

    def channel_rows(self) -> list[ChannelRow]:
        return []

    def ack_holders(self) -> list[_Held]:
        return [self]


def test_since_when_a_message_is_out() -> None:
    broker = core_broker()
    session = _Held(create_queue(broker.vhosts["/"], "orders", durable=True))
    broker.sessions[cast("SessionEntry", session)] = None

    def details() -> list[str]:
        report = operations.doctor.examine(broker, Surroundings(), patience_ms=600_000).finish()
        return [place.detail for each in report.findings if each.code == "old-unacked" for place in each.places]

    for minute in range(1, 11):
        broker.advance(minute * 60_000)
        assert details() == []
    broker.advance(12 * 60_000)
    assert details() == ["1 message, the oldest since 11 min 0 s at least, from queue 'orders' by a poll (basic.get)"]
    session.unacked.clear()
    assert details() == []
