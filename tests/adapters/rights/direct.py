"""What a program in the broker's process does in a user's name, by which rights, and what is raised without one."""

from __future__ import annotations

from collections.abc import Callable

from tests.adapters.rights.operation import PASSWORD, USER, Operation, configure, read, write
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.direct.session import DirectSession
from warren.core.access.answers import Awaited, Unanswered
from warren.core.declaring.bindings import bind, unbind
from warren.core.declaring.exchanges import declare_exchange, delete_exchange
from warren.core.declaring.queues import declare_queue, delete_queue, purge_queue
from warren.core.errors import BrokerError
from warren.core.messages.field_table import EMPTY_TABLE_RAW
from warren.core.messages.properties import EMPTY
from warren.core.queues.answer import ignore

REFUSED = "AccessRefused"


def doing(do: Callable[[DirectSession], object]) -> Callable[[SimulatedBroker], str]:
    """Log in and do it; what another back-end has to be asked first is done again when it has answered."""

    def attempt(broker: SimulatedBroker) -> str:
        pinned: list[Awaited] = []
        try:
            return until_answered(broker, pinned)
        finally:
            for each in pinned:
                each.release()

    def until_answered(broker: SimulatedBroker, pinned: list[Awaited]) -> str:
        for _ in range(50):
            try:
                users = broker.broker.users
                user = users.log_in(USER, PASSWORD, is_loopback=True, mechanism="PLAIN", peer_host="127.0.0.1")
                session = DirectSession(
                    broker.broker, user, "/", name="direct", provided_name="test", changed=lambda: None
                )
                try:
                    do(session)
                finally:
                    session.close()
                    broker.settle()
            except Unanswered as unanswered:
                pinned.append(unanswered.pin(lambda: None))
                broker.settle()
            except BrokerError as error:
                return type(error).__name__
            else:
                return "allowed"
        raise AssertionError("never answered")

    return attempt


def publishing(exchange: str, key: str) -> Callable[[SimulatedBroker], str]:
    return doing(lambda session: session.publish(exchange, key, EMPTY, b"m"))


DIRECT = (
    Operation("enter", doing(lambda session: None), (), "VirtualHostRefused"),
    Operation("publish", publishing("x", "bound"), (write("exchange", "x"),), REFUSED),
    Operation("publish by the default exchange", publishing("", "q"), (write("exchange", "amq.default"),), REFUSED),
    Operation(
        "publish to a topic", publishing("t", "k"), (write("exchange", "t"), ("write", "topic", "t", "k")), REFUSED
    ),
    Operation("get", doing(lambda session: session.get("q", ignore, no_ack=True)), (read("queue", "q"),), REFUSED),
    Operation(
        "consume",
        doing(
            lambda session: session.consume(
                "q", no_ack=True, exclusive=False, prefetch=1, arguments={}, wake=lambda: None
            )
        ),
        (read("queue", "q"),),
        REFUSED,
    ),
    Operation(
        "declare a queue",
        doing(lambda session: declare_queue(session.client, "new")),
        (configure("queue", "new"),),
        REFUSED,
    ),
    Operation(
        "delete a queue", doing(lambda session: delete_queue(session.client, "q")), (configure("queue", "q"),), REFUSED
    ),
    Operation("purge a queue", doing(lambda session: purge_queue(session.client, "q")), (read("queue", "q"),), REFUSED),
    Operation(
        "declare an exchange",
        doing(lambda session: declare_exchange(session.client, "new", "direct")),
        (configure("exchange", "new"),),
        REFUSED,
    ),
    Operation(
        "delete an exchange",
        doing(lambda session: delete_exchange(session.client, "x")),
        (configure("exchange", "x"),),
        REFUSED,
    ),
    Operation(
        "bind",
        doing(lambda session: bind(session.client, "queue", "q", "x", "k", {}, EMPTY_TABLE_RAW)),
        (write("queue", "q"), read("exchange", "x")),
        REFUSED,
    ),
    Operation(
        "unbind",
        doing(lambda session: unbind(session.client, "queue", "q", "x", "bound", {})),
        (write("queue", "q"), read("exchange", "x")),
        REFUSED,
    ),
)
