"""Direct clients of a simulated broker, and what tests do with them."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.direct.confirmation import Confirmation
from warren.adapters.direct.consumer import DirectConsumer
from warren.adapters.direct.delivery import Delivery
from warren.adapters.direct.session import DirectSession
from warren.core.access.accounts import BROKER
from warren.core.messages.field_table import FieldValue
from warren.core.messages.properties import EMPTY


class Woken:
    """Counts how often a program would have been woken."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def session_of(broker: SimulatedBroker, user: str | None = None, name: str = "direct 1") -> DirectSession:
    chosen = BROKER if user is None else broker.broker.users[user]
    return DirectSession(broker.broker, chosen, "/", name=name, provided_name="test", changed=lambda: None)


def consume(
    session: DirectSession,
    name: str = "q",
    *,
    prefetch: int = 10,
    no_ack: bool = False,
    wake: Callable[[], None] = lambda: None,
    arguments: dict[str, FieldValue] | None = None,
) -> DirectConsumer:
    return session.consume(
        name,
        no_ack=no_ack,
        exclusive=False,
        prefetch=prefetch,
        arguments=arguments or {},
        wake=wake,
    )


def publish(session: DirectSession, *bodies: bytes, key: str = "q") -> list[Confirmation]:
    confirmations = []
    for body in bodies:
        confirmations.append(Confirmation())
        session.publish("", key, EMPTY, body, mandatory=True, confirmation=confirmations[-1])
    return confirmations


def taken(consumer: DirectConsumer) -> list[Delivery]:
    return [consumer.take() for _ in range(len(consumer.arrived))]
