"""Limits of messages and bytes in a second for a client in the process: it is told, and may wait."""

from __future__ import annotations

import pytest

from tests.support.direct_clients import session_of
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.direct.confirmation import Confirmation
from warren.adapters.direct.errors import RateExceeded
from warren.core.administration.operations import limits
from warren.core.messages.properties import EMPTY


def test_a_program_in_the_process_is_told() -> None:
    broker = SimulatedBroker()
    limits.set_of_user(broker.broker, "guest", {"max-message-rate": 5, "max-byte-rate": 1000})
    session = session_of(broker, "guest")
    calls: list[str] = []
    session.on_unblocked = lambda: calls.append("again")
    confirmations = [Confirmation() for _ in range(5)]
    for each in confirmations:
        session.publish("amq.fanout", "", EMPTY, b"m", confirmation=each)
    with pytest.raises(RateExceeded, match="user 'guest' sends more than 5 messages per second"):
        session.publish("amq.fanout", "", EMPTY, b"m")
    assert session.blocked is not None
    assert not calls
    broker.advance(200)
    assert calls == ["again"]
    assert session.blocked is None
    session.publish("amq.fanout", "", EMPTY, b"m" * 3000)
    broker.advance(1000)
    assert session.blocked == "user 'guest' sends more than 1000 bytes per second (max-byte-rate)"
    limits.clear_of_user(broker.broker, "guest", "all")
    broker.settle()
    assert calls == ["again", "again"]
    assert session.blocked is None
    session.close()
    assert not broker.broker.rate_limits.paced
