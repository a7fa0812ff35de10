"""SUBSCRIBE and UNSUBSCRIBE: which queue a destination means, and how it is declared (spec B.3, B.4).

A queue destination names its queue.  A topic or exchange gets a queue of the subscription's own, bound to it:

    durable:true, auto-delete:false, id    kept for the user who comes back with the same destination and id; its name
                                           is made of the two, so that several sessions of one user share it
    x-queue-name                           of the client's choice
    otherwise                              a new one, gone with the subscription
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from warren.adapters.stomp.codec.errors import StompError, quoted
from warren.adapters.stomp.destinations import NAME_BYTES_MAX, TEMPORARY_PREFIX, Destination, Kind, parse_destination
from warren.adapters.stomp.message_headers import boolean, number
from warren.adapters.stomp.subscription import Subscription
from warren.core.access.answers import Unanswered
from warren.core.declaring.bindings import bind
from warren.core.declaring.names import generated_name
from warren.core.declaring.queues import accessible_queue, declare_queue, delete_queue, end_consumer, remove_queue
from warren.core.errors import BrokerError
from warren.core.messages.field_table import EMPTY_TABLE_RAW, encode_table
from warren.core.messages.timestamp import Timestamp
from warren.core.queues.filtering import FILTER

if TYPE_CHECKING:
    from warren.adapters.stomp.codec.frames import Frame
    from warren.adapters.stomp.session import StompSession
    from warren.core.clients.client import Client
    from warren.core.messages.field_table import FieldValue
    from warren.core.queues.base import Queue

ACK_MODES: Final = ("auto", "client", "client-individual")

QUEUE_PREFIX: Final = "stomp-subscription"

NUMBER_ARGUMENTS: Final = (
    "x-expires",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
    "x-message-ttl",
    "x-delivery-limit",
    "x-stream-max-segment-size-bytes",
    "x-stream-filter-size-bytes",
)
TEXT_ARGUMENTS: Final = (
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-dead-letter-strategy",
    "x-group-by",
    "x-max-age",
    "x-overflow",
    "x-queue-type",
)
FLAG_ARGUMENTS: Final = ("x-single-active-consumer",)
"""Headers that are arguments of the queue when it is declared (spec B.4)."""

DECLARING_HEADERS: Final = frozenset(
    {"durable", "exclusive", "auto-delete", *NUMBER_ARGUMENTS, *TEXT_ARGUMENTS, *FLAG_ARGUMENTS}
)
"""Headers of SEND and SUBSCRIBE that say how a queue is declared."""

FILTERS: Final = ("x-filter", "selector")
"""Headers of SUBSCRIBE that say which messages are wanted; the second is what STOMP calls it (1.2, SUBSCRIBE)."""

NUMBER_MAX: Final = 2**63 - 1
PREFETCH_MAX: Final = 65535
PRIORITY_MAX: Final = 2**31 - 1


def subscribe(session: StompSession, frame: Frame) -> None:
    """SUBSCRIBE; messages come after its receipt."""
    headers = frame.headers
    name = headers.get("destination")
    if name is None:
        raise StompError("Missing destination", "\"SUBSCRIBE\" must include a 'destination' header")
    id = headers.get("id")
    if id is not None and id.startswith(TEMPORARY_PREFIX):
        raise StompError("Invalid id", f"'{id}': an id must not begin with {TEMPORARY_PREFIX}; choose another one")
    destination = parse_destination(name, session.settings.topic_exchange, "SUBSCRIBE")
    if destination.kind is Kind.REPLY_QUEUE:
        raise StompError(
            "Invalid destination",
            f"'{quoted(name)}' is not a valid destination for 'SUBSCRIBE'",
            "it is only for SEND; subscribe to a queue you know by name as /amq/queue/NAME",
        )
    key = subscription_key(id, name)
    if key in session.subscriptions:
        raise StompError(
            "Duplicated subscription identifier",
            f"A subscription identified by '{quoted(key)}' already exists.",
            "give each one an id of its own",
            fatal=True,
        )
    mode = headers.get("ack", "auto")
    if mode not in ACK_MODES:
        raise StompError("Invalid header", f"'ack' is '{mode}'; it has to be one of {', '.join(ACK_MODES)}")
    if all(each in headers for each in FILTERS):
        raise StompError("Invalid header", "'selector' and 'x-filter' say the same; leave out one of the two")
    prefetch = number(headers, "prefetch-count", PREFETCH_MAX) or 0
    arguments = _consumer_arguments(headers)
    durable = _wants_durable(headers) and not destination.is_queue
    if durable and id is None:
        raise StompError("Missing Header", "Header 'id' is required for durable subscriptions")
    made: list[Queue] = []
    try:
        queue_name = _queue_for(session, destination, name, headers, id, made, durable=durable)
        subscription = Subscription(
            session,
            accessible_queue(session.logged_in, queue_name, "read"),
            key,
            id=id,
            destination=name,
            no_ack=mode == "auto",
            cumulative=mode == "client",
            durable_queue=durable,
            exclusive=destination.kind is Kind.EXISTING_QUEUE and boolean(headers, "exclusive") is True,
            prefetch=prefetch,
            arguments=arguments,
        )
        session.subscriptions.begin(subscription)
    except (StompError, BrokerError):
        _undo(session, made)
        raise
    except Unanswered as unanswered:
        unanswered.names += [queue.name for queue in made]
        _undo(session, made)
        raise
    if not subscription.no_ack:
        session.broker.ack_timeouts.added(subscription)


def _undo(session: StompSession, made: list[Queue]) -> None:
    """A subscription hasn't come about: neither has the queue that was made for it.

    It would be nobody's, and collect messages for ever, as it goes with its last consumer and has had none.
    """
    for queue in made:
        remove_queue(queue.vhost, queue)
        session.subscriptions.forget_declared(queue.name)


def _named(id: str | None, destination: str) -> str:
    return f"id='{quoted(id)}'" if id is not None else f"destination='{quoted(destination)}'"


def unsubscribe(session: StompSession, frame: Frame) -> None:
    """UNSUBSCRIBE; what was delivered and not acknowledged stays with the session."""
    headers = frame.headers
    id = headers.get("id")
    name = headers.get("destination")
    if id is None and name is None:
        raise StompError("Missing destination or id", "UNSUBSCRIBE must include a 'destination' or 'id' header")
    subscription = session.subscriptions.remove(subscription_key(id, name or ""))
    if subscription is None:
        raise StompError(
            "No subscription found",
            "UNSUBSCRIBE must refer to an existing subscription.\n"
            + f'Subscription to "{_named(id, name or "")}" not found.',
            "name it as SUBSCRIBE did, by the same id, or by the destination if it had none",
        )
    end_consumer(subscription)
    if subscription.durable_queue and _wants_durable(headers):
        delete_queue(session.logged_in, subscription.queue.name)


def subscription_key(id: str | None, destination: str) -> str:
    """What names a subscription in its session, and in message ids (spec B.4)."""
    return f"T_{id}" if id is not None else f"Q_{destination}"


def declare_once(
    session: StompSession, destination: Destination, headers: Mapping[str, str], made: list[Queue] | None = None
) -> None:
    """Declare the queue of /queue/NAME when the session first uses it (spec B.3).  made: gets it if it is new."""
    if not session.subscriptions.declares(destination.key):
        return
    arguments = _queue_arguments(headers)
    is_new = destination.key not in session.logged_in.vhost.queues
    queue = declare_queue(
        session.logged_in,
        destination.key,
        durable=boolean(headers, "durable") is not False,
        exclusive=boolean(headers, "exclusive") is True,
        auto_delete=boolean(headers, "auto-delete") is True,
        arguments=arguments,
        arguments_raw=encode_table(arguments) if arguments else EMPTY_TABLE_RAW,
    )
    session.subscriptions.declared(destination.key)
    if is_new and made is not None:
        made.append(queue)


def _queue_for(
    session: StompSession,
    destination: Destination,
    name: str,
    headers: Mapping[str, str],
    id: str | None,
    made: list[Queue],
    *,
    durable: bool,
) -> str:
    """The name of the queue to consume from, declared and bound as the destination wants it.  made: gets a new one."""
    if destination.kind is Kind.QUEUE:
        declare_once(session, destination, headers, made)
    if destination.is_queue:
        return destination.key
    client = session.logged_in
    client.vhost.exchange(destination.exchange)
    queue_name = headers.get("x-queue-name") or (
        _durable_queue(client, name, id or "") if durable else generated_name(QUEUE_PREFIX)
    )
    if len(queue_name.encode("utf-8", "surrogateescape")) > NAME_BYTES_MAX:
        raise StompError("Invalid header", f"'x-queue-name' is longer than {NAME_BYTES_MAX} bytes, the limit")
    exclusive = boolean(headers, "exclusive")
    if exclusive is None:
        exclusive = destination.kind is Kind.EXCHANGE and not durable and "x-queue-name" not in headers
    arguments = _queue_arguments(headers)
    is_new = queue_name not in client.vhost.queues
    queue = declare_queue(
        client,
        queue_name,
        durable=durable,
        exclusive=exclusive,
        auto_delete=boolean(headers, "auto-delete") is not False,
        arguments=arguments,
        arguments_raw=encode_table(arguments) if arguments else EMPTY_TABLE_RAW,
        user=client.user if durable and "x-queue-name" not in headers else None,
    )
    if is_new:
        made.append(queue)
    bind(client, "queue", queue.name, destination.exchange, destination.key, {}, EMPTY_TABLE_RAW)
    return queue.name


def _durable_queue(client: Client, destination: str, id: str) -> str:
    """The name of the user's durable subscription: the usual one, unless that is another user's.

    One of a user who is deleted, and that isn't gone yet, goes now.  A queue without a user (it is older, or was
    imported or declared by other means) is for whoever has permissions.
    """
    queues = client.vhost.queues
    own = durable_queue_name(destination, id, client.user.name)
    usual = durable_queue_name(destination, id)
    for name in (usual, own):
        left = queues.get(name)
        if left is not None and left.is_left_behind:
            remove_queue(client.vhost, left)
    existing = queues.get(usual)
    if own in queues or (existing is not None and existing.user not in ("", client.user.name)):
        return own
    return usual


def durable_queue_name(destination: str, id: str, user: str = "") -> str:
    """The queue of a durable subscription: the same for the same destination and id.

    user: whose it is, where the name without it is taken by another user.
    """
    text = f"{destination}\0{id}{user and chr(0)}{user}".encode("utf-8", "surrogateescape")
    digest = hashlib.md5(text, usedforsecurity=False).digest()
    return f"{QUEUE_PREFIX}-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def _wants_durable(headers: Mapping[str, str]) -> bool:
    return boolean(headers, "durable") is True or boolean(headers, "persistent") is True


def _queue_arguments(headers: Mapping[str, str]) -> dict[str, FieldValue]:
    arguments: dict[str, FieldValue] = {}
    for name in NUMBER_ARGUMENTS:
        value = number(headers, name, NUMBER_MAX)
        if value is not None:
            arguments[name] = value
    for name in TEXT_ARGUMENTS:
        if name in headers:
            arguments[name] = headers[name]
    for name in FLAG_ARGUMENTS:
        flag = boolean(headers, name)
        if flag is not None:
            arguments[name] = flag
    return arguments


def _consumer_arguments(headers: Mapping[str, str]) -> dict[str, FieldValue]:
    arguments: dict[str, FieldValue] = {}
    if "x-priority" in headers:
        text = headers["x-priority"].strip()
        value = number({"x-priority": text.removeprefix("-")}, "x-priority", PRIORITY_MAX) or 0
        arguments["x-priority"] = -value if text.startswith("-") else value
    for name in FILTERS:
        if name in headers:
            arguments[FILTER] = headers[name]
    timeout_ms = number(headers, "x-consumer-timeout", NUMBER_MAX)
    if timeout_ms is not None:
        arguments["x-consumer-timeout"] = timeout_ms
    if "x-stream-offset" in headers:
        arguments["x-stream-offset"] = _stream_offset(headers["x-stream-offset"])
    if "x-stream-filter" in headers:
        arguments["x-stream-filter"] = [each.strip() for each in headers["x-stream-filter"].split(",")]
    unfiltered = boolean(headers, "x-stream-match-unfiltered")
    if unfiltered is not None:
        arguments["x-stream-match-unfiltered"] = unfiltered
    return arguments


def _stream_offset(text: str) -> FieldValue:
    """first, last, next, offset=N or timestamp=T (spec B.4)."""
    if text in ("first", "last", "next"):
        return text
    name, _, value = text.partition("=")
    if name in ("offset", "timestamp"):
        found = number({name: value}, name, NUMBER_MAX) or 0
        return Timestamp(found) if name == "timestamp" else found
    raise StompError(
        "Invalid header",
        f"'x-stream-offset' is '{quoted(text)}'; it has to be first, last, next, offset=NUMBER or timestamp=SECONDS",
    )
