"""What is done by AMQP 1.0, by which rights, and what is said without one of them.

What a link is for is asked for by its attach, and refused by a detach (part 2, 2.6.3); where each message says by
itself where it goes, it is the message that is rejected; a request to /management is answered.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import proton

from tests.adapters.rights.operation import ANY, PASSWORD, USER, Operation, configure, read, write
from tests.support.core_broker import core_client
from tests.support.simulated_amqp10 import Amqp10Client, Frame, data, messages, of
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp10.codec import sasl
from warren.adapters.amqp10.codec.composites import encode_composite
from warren.adapters.amqp10.codec.encoding import described
from warren.adapters.amqp10.codec.performatives import SETTLED, Attach, Close, Detach, Disposition, End, Open
from warren.adapters.amqp10.codec.sections import VALUE
from warren.adapters.amqp10.codec.termini import (
    Accepted,
    Coordinator,
    Declare,
    Discharge,
    Rejected,
    Released,
    Source,
    Target,
    TransactionalState,
)
from warren.core.messages.properties import Properties
from warren.core.queues.answer import ignore
from warren.core.routing.publish import publish

CONDITION = "amqp:unauthorized-access"

DETACHED = f"detach {CONDITION}"
REJECTED = f"rejected {CONDITION}"
FORBIDDEN = "answer 403"


def client_of(broker: SimulatedBroker) -> Amqp10Client:
    """With a session."""
    client = Amqp10Client(broker)
    client.log_in(USER, PASSWORD)
    (answer,) = client.send(Open("test"))
    assert isinstance(answer.body, Open), answer
    return client.begin()


def outcome(frames: list[Frame]) -> str:
    """What was said: "allowed" where nothing was refused; a message may lead nowhere, then."""
    for frame in frames:
        body = frame.body
        if isinstance(body, Detach | End | Close) and body.error is not None:
            assert USER in (body.error.description or "")
            return f"{type(body).__name__.lower()} {body.error.condition}"
        if isinstance(body, Disposition):
            state = body.state.outcome if isinstance(body.state, TransactionalState) else body.state
            if isinstance(state, Rejected):
                assert state.error is not None
                assert USER in (state.error.description or "")
                return f"rejected {state.error.condition}"
            assert isinstance(state, Accepted | Released), state
    return "allowed"


def amqp10_log_in(broker: SimulatedBroker, password: str) -> list[Frame]:
    """What is answered to SASL and the second header, in the end."""
    client = Amqp10Client(broker)
    answer = client.log_in(USER, password)
    broker.advance(broker.broker.refused_logins.delay_ms)
    return answer + client.take()


def sasl_code(frames: list[Frame]) -> int:
    """The outcome of SASL."""
    (told,) = of(sasl.SaslOutcome, frames)
    assert isinstance(told.code, int)
    return told.code


def enter(broker: SimulatedBroker) -> str:
    client = Amqp10Client(broker)
    client.log_in(USER, PASSWORD)
    return outcome(client.send(Open("test")))


# Links


def receive(address: str, broker: SimulatedBroker) -> str:
    """Attach, and have what there is."""
    client = client_of(broker)
    frames = client.attach_receiver(address)
    return outcome(frames + client.credit(10)) if _is_attached(frames) else outcome(frames)


def receive_from(make_source: Callable[[], Source], broker: SimulatedBroker, **fields: Any) -> str:
    return outcome(client_of(broker).attach_receiver(None, source=make_source(), **fields))


def dynamic_source() -> Source:
    source = Source()
    source.dynamic = True
    return source


def volatile_source() -> Source:
    """Answers to requests come by it."""
    source = dynamic_source()
    source.expiry_policy = "link-detach"
    source.capabilities = ["rabbitmq:volatile-queue"]
    return source


def dynamic_target() -> Target:
    target = Target()
    target.dynamic = True
    return target


def send(terminus: str | None, broker: SimulatedBroker, **fields: Any) -> str:
    """Attach, and publish.  fields: of the message."""
    client = client_of(broker)
    frames = client.attach_sender(terminus)
    return outcome(frames + client.publish(_message(**fields))) if _is_attached(frames) else outcome(frames)


def send_dynamically(broker: SimulatedBroker) -> str:
    client = client_of(broker)
    frames = client.attach_sender(None, target=dynamic_target())
    return outcome(frames + client.publish(data(b"body"))) if _is_attached(frames) else outcome(frames)


def send_settled(broker: SimulatedBroker) -> str:
    """By the anonymous terminus; nothing is told of a message that comes settled."""
    client = client_of(broker)
    client.attach_sender(None)
    assert client.publish(_message(address="/exchanges/x/bound"), settled=True) == []
    return "allowed" if broker.queue("q").ready_count else "dropped"


def _message(**fields: Any) -> bytes:
    annotations = {proton.symbol(name): value for name, value in fields.pop("annotations", {}).items()}
    made = proton.Message(body=b"body", inferred=True, annotations=annotations or None, **fields)
    return bytes(made.encode())


def _is_attached(frames: list[Frame]) -> bool:
    return not of(Detach, frames)


def amqp10_as(broker: SimulatedBroker, name: str) -> str:
    """Publish in somebody else's name, which the tag `impersonator` allows."""
    client = client_of(broker)
    client.attach_sender("/exchanges/x/bound")
    detached = of(Detach, client.publish(_message(user_id=name.encode())))
    return f"detach {detached[0].error.condition}" if detached else "allowed"


# Transactions


def control(client: Amqp10Client, body: object) -> Any:
    """What a coordinator answers."""
    return of(Disposition, client.publish(described(VALUE, encode_composite(body)), handle=9))[-1].state


def publish_in_transaction(terminus: str | None, broker: SimulatedBroker, **fields: Any) -> str:
    client = client_of(broker)
    client.attach_sender(None, handle=9, target=Coordinator())
    txn_id = control(client, Declare()).txn_id
    said = outcome(client.attach_sender(terminus))
    if said == "allowed":
        said = outcome(client.publish(_message(**fields), state=TransactionalState(txn_id)))
    _discharge(client, txn_id)
    return said


def settle_in_transaction(broker: SimulatedBroker) -> str:
    queue = broker.queue("q")
    publish(core_client(broker.broker), "", "q", Properties.parse(b"\0\0"), b"body")
    client = client_of(broker)
    client.attach_sender(None, handle=9, target=Coordinator())
    txn_id = control(client, Declare()).txn_id
    frames = client.attach_receiver("/queues/q")
    if _is_attached(frames):
        client.credit(1)
        frames += client.settle(0, 0, TransactionalState(txn_id, Accepted()))
    _discharge(client, txn_id)
    assert (queue.ready_count, queue.unacked_count) == ((0, 0) if _is_attached(frames) else (1, 0))
    queue.purge(ignore)
    return outcome(frames)


def _discharge(client: Amqp10Client, txn_id: bytes) -> None:
    body = Discharge()
    body.txn_id = txn_id
    assert isinstance(control(client, body), Accepted)


# Requests


def ask(method: str, path: str, body: Any, broker: SimulatedBroker) -> str:
    """By a pair of links to /management."""
    client = client_of(broker)
    paired = {"paired": True}
    assert len(of(Attach, client.attach_sender("/management", name="pair", properties=paired))) == 1
    client.attach_receiver("/management", name="pair", properties=paired, snd_settle_mode=SETTLED)
    client.credit(10)
    request = proton.Message(body=body, id="request", subject=method, address=path, reply_to="$me")
    (answer,) = messages(client.publish(bytes(request.encode())))
    status = answer.subject or ""
    if status == "403":
        assert USER in str(answer.body)
    return "allowed" if status.startswith("2") else f"answer {status}"


def binding(source: str, **destination: str) -> dict[str, Any]:
    return {"source": source, "binding_key": "k", "arguments": {}, **destination}


WRITES_DEFAULT = (write("exchange", "amq.default"),)
WRITES_X = (write("exchange", "x"),)
WRITES_T = (write("exchange", "t"), ("write", "topic", "t", "k"))
WRITES_TOPIC = (write("exchange", "amq.topic"), ("write", "topic", "amq.topic", "k"))
READS_Q = (read("queue", "q"),)
OWN_QUEUE = (configure("queue", ANY), write("queue", ANY), read("queue", ANY))
COPIED = {"x-cc": ["other"]}

LINKS = (
    Operation("enter", enter, (), f"close {CONDITION}"),
    *(
        Operation(f"attach to receive from {address}", partial(receive, address), needs, DETACHED)
        for address, needs in {
            "/queues/q": READS_Q,
            "/queue/q": READS_Q,
            "/amq/queue/q": READS_Q,
            "q": READS_Q,
            "/queue/new": (configure("queue", "new"), read("queue", "new")),
            "new": (configure("queue", "new"), read("queue", "new")),
            "/exchange/x/k": (*OWN_QUEUE, read("exchange", "x")),
            "/exchange/t/k": (*OWN_QUEUE, read("exchange", "t"), ("read", "topic", "t", "k")),
            "/topic/k": (*OWN_QUEUE, read("exchange", "amq.topic"), ("read", "topic", "amq.topic", "k")),
        }.items()
    ),
    Operation(
        "attach to a dynamic source",
        partial(receive_from, dynamic_source),
        (configure("queue", ANY), read("queue", ANY)),
        DETACHED,
    ),
    Operation("attach for answers", partial(receive_from, volatile_source, snd_settle_mode=SETTLED), (), DETACHED),
    *(
        Operation(f"send to {address}", partial(send, address), needs, DETACHED)
        for address, needs in {
            "/queues/q": WRITES_DEFAULT,
            "/exchanges/x/bound": WRITES_X,
            "/exchanges/y": (write("exchange", "y"),),
            "/exchanges/t/k": WRITES_T,
            "/queue/q": WRITES_DEFAULT,
            "/amq/queue/q": WRITES_DEFAULT,
            "q": WRITES_DEFAULT,
            "/queue/new": (configure("queue", "new"), *WRITES_DEFAULT),
            "new": (configure("queue", "new"), *WRITES_DEFAULT),
            "/exchange/x/bound": WRITES_X,
            "/topic/k": WRITES_TOPIC,
        }.items()
    ),
    Operation("send to /exchange/x by subject", partial(send, "/exchange/x", subject="bound"), WRITES_X, DETACHED),
    Operation("send to /exchange/t by subject", partial(send, "/exchange/t", subject="k"), WRITES_T, DETACHED),
    Operation("send to /queue by subject", partial(send, "/queue", subject="q"), WRITES_DEFAULT, DETACHED),
    Operation(
        "send with x-cc",
        partial(send, "/exchanges/t/k", annotations=COPIED),
        (*WRITES_T, ("write", "topic", "t", "other")),
        DETACHED,
    ),
    Operation("send to a dynamic target", send_dynamically, (configure("queue", ANY), *WRITES_DEFAULT), DETACHED),
)

ANONYMOUS = (
    *(
        Operation(f"send a message to {address}", partial(send, None, address=address), needs, REJECTED)
        for address, needs in {
            "/queues/q": WRITES_DEFAULT,
            "/exchanges/x/bound": WRITES_X,
            "/exchanges/t/k": WRITES_T,
            "/amq/queue/q": WRITES_DEFAULT,
            "/topic/k": WRITES_TOPIC,
        }.items()
    ),
    Operation(
        "send a message to /exchanges/t/k with x-cc",
        partial(send, None, address="/exchanges/t/k", annotations=COPIED),
        (*WRITES_T, ("write", "topic", "t", "other")),
        REJECTED,
    ),
    Operation("send a settled message", send_settled, WRITES_X, "dropped"),
)

TRANSACTIONS = (
    Operation("publish in a transaction", partial(publish_in_transaction, "/exchanges/x/bound"), WRITES_X, DETACHED),
    Operation(
        "publish in a transaction with x-cc",
        partial(publish_in_transaction, "/exchanges/t/k", annotations=COPIED),
        (*WRITES_T, ("write", "topic", "t", "other")),
        DETACHED,
    ),
    Operation(
        "publish a message to /exchanges/x/bound in a transaction",
        partial(publish_in_transaction, None, address="/exchanges/x/bound"),
        WRITES_X,
        REJECTED,
    ),
    Operation("settle in a transaction", settle_in_transaction, READS_Q, DETACHED),
)

DEAD_LETTERS = {"arguments": {"x-dead-letter-exchange": "x"}}
ALTERNATE = {"arguments": {"alternate-exchange": "x"}}

REQUESTS = tuple(
    Operation(f"{method} {path}{remark}", partial(ask, method, path, body), needs, FORBIDDEN)
    for method, path, remark, body, needs in (
        ("PUT", "/queues/new", "", {}, (configure("queue", "new"),)),
        (
            "PUT",
            "/queues/new",
            " with dead letters",
            DEAD_LETTERS,
            (configure("queue", "new"), read("queue", "new"), *WRITES_X),
        ),
        *(
            ("GET", "/queues/q", f" by {right[0]}", None, (right,))
            for right in (configure("queue", "q"), write("queue", "q"), read("queue", "q"))
        ),
        ("DELETE", "/queues/q", "", None, (configure("queue", "q"),)),
        ("DELETE", "/queues/none", "", None, (configure("queue", "none"),)),
        ("DELETE", "/queues/q/messages", "", None, READS_Q),
        ("PUT", "/exchanges/new", "", {}, (configure("exchange", "new"),)),
        (
            "PUT",
            "/exchanges/new",
            " with an alternate",
            ALTERNATE,
            (configure("exchange", "new"), read("exchange", "new"), *WRITES_X),
        ),
        ("DELETE", "/exchanges/x", "", None, (configure("exchange", "x"),)),
        (
            "POST",
            "/bindings",
            " of a queue",
            binding("x", destination_queue="q"),
            (write("queue", "q"), read("exchange", "x")),
        ),
        (
            "POST",
            "/bindings",
            " of a queue to a topic",
            binding("t", destination_queue="q"),
            (write("queue", "q"), read("exchange", "t"), ("read", "topic", "t", "k")),
        ),
        (
            "POST",
            "/bindings",
            " of an exchange",
            binding("x", destination_exchange="y"),
            (write("exchange", "y"), read("exchange", "x")),
        ),
        *(
            ("GET", "/bindings?src=x&dstq=q", f" by {right[0]}", None, (right,))
            for right in (configure("exchange", "x"), write("exchange", "x"), read("exchange", "x"))
        ),
        (
            "DELETE",
            "/bindings/src=x;dstq=q;key=bound;args=",
            "",
            None,
            (write("queue", "q"), read("exchange", "x")),
        ),
    )
)

AMQP_1_0 = (*LINKS, *ANONYMOUS, *TRANSACTIONS, *REQUESTS)
