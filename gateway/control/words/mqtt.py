"""Words on MQTT sessions and retained messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.listing import listing
from warren.gateway.control.target import Answer, Control, RefusedError, Request, Row, done, table
from warren.gateway.control.word import VHOST, Option, word

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.operations.retained import Retained

COUNT_DEFAULT: Final = 100
COUNT_MAX: Final = 1000
"""Retained messages in one answer, which is one line of JSON."""

BODY_BYTES_SHOWN: Final = 4096
"""Of a retained message, in a list."""

QOS: Final = Option("qos", "QOS")
COUNT: Final = Option("count", "NUMBER")
SEARCH: Final = Option("search", "TEXT")

_COUNT_DIGITS_MAX: Final = 8
"""More digits are no count, and int() needn't see them."""

RETAINED_COLUMNS: Final = ("topic", "qos", "publisher", "body_bytes", "body")


@word(
    "[COLUMN]...",
    "MQTT sessions, connected or not",
    "Listing MQTT sessions of vhost '{vhost}' ...",
    options=(VHOST,),
    example="client_id user queued_messages",
    lists="mqtt_sessions",
)
async def list_mqtt_sessions(control: Control, request: Request) -> Answer:
    """Warren's own; the columns are those of adapters.mqtt.sessions.listing."""
    return await listing(control, "mqtt_sessions", request.arguments, vhost=request.vhost)


@word(
    "CLIENT_ID",
    "what an MQTT session is subscribed to",
    "Listing subscriptions of MQTT client '{0}' in vhost '{vhost}' ...",
    options=(VHOST,),
    example="meter-17",
)
def list_mqtt_subscriptions(control: Control, request: Request) -> Answer:
    """Warren's own."""
    from warren.adapters.mqtt.sessions.operations import sessions

    session = sessions.existing(control.broker, request.vhost, request.arguments[0])
    return table(sessions.Subscribed._fields, [each._asdict() for each in sessions.subscriptions(session)])


@word(
    "CLIENT_ID",
    "end an MQTT session with all that waits in it; its client is disconnected",
    "Ending the session of MQTT client '{0}' in vhost '{vhost}' ...",
    options=(VHOST,),
    example="meter-17",
)
def delete_mqtt_session(control: Control, request: Request) -> Answer:
    """Warren's own."""
    from warren.adapters.mqtt.sessions.operations import sessions

    sessions.end(control.broker, request.vhost, request.arguments[0])
    return done()


@word(
    "[FILTER]",
    "retained messages of MQTT whose topics match, 100 unless --count says otherwise",
    "Listing retained messages in vhost '{vhost}' ...",
    options=(VHOST, SEARCH, COUNT),
    example="'devices/#' --count 20",
)
async def list_retained_messages(control: Control, request: Request) -> Answer:
    """Warren's own; `--search` is a part of the topic."""
    from warren.adapters.mqtt.sessions.operations import retained
    from warren.gateway.turns import in_turns

    steps = retained.find(
        control.broker,
        request.vhost,
        wanted=request.arguments[0] if request.arguments else retained.EVERYTHING,
        search=str(request.options.get("search", "")),
        count=_count(request),
    )
    found = await in_turns(steps)
    return table(RETAINED_COLUMNS, [_row(each) for each in found.messages])


@word(
    "TOPIC PAYLOAD",
    "publish a message to a topic of MQTT, retained",
    "Retaining a message for the topic '{0}' in vhost '{vhost}' ...",
    options=(VHOST, QOS),
    example="devices/meter-17/state online --qos 1",
)
def set_retained_message(control: Control, request: Request) -> Answer:
    """Warren's own."""
    from warren.adapters.mqtt.sessions.operations import retained

    topic, payload = request.arguments
    qos = str(request.options.get("qos", "0"))
    if qos not in ("0", "1", "2"):
        raise RefusedError(f"--qos is 0, 1 or 2, not '{qos}'", codes.USAGE)
    retained.put(control.broker, request.vhost, topic, payload.encode("utf-8", "surrogateescape"), qos=int(qos))
    return done()


@word(
    "TOPIC",
    "retain nothing for a topic of MQTT any more",
    "Deleting what is retained for the topic '{0}' in vhost '{vhost}' ...",
    options=(VHOST,),
    example="devices/meter-17/state",
)
def delete_retained_message(control: Control, request: Request) -> Answer:
    """Warren's own."""
    from warren.adapters.mqtt.sessions.operations import retained

    retained.remove(control.broker, request.vhost, request.arguments[0])
    return done()


def _row(each: Retained) -> Row:
    from warren.adapters.mqtt.sessions.operations.retained import qos_of

    return {
        "topic": each.topic,
        "qos": qos_of(each.message),
        "publisher": each.publisher,
        "body_bytes": each.message.body_size,
        "body": each.message.body[:BODY_BYTES_SHOWN].decode("utf-8", "backslashreplace"),
    }


def _count(request: Request) -> int:
    given = request.options.get(COUNT.name)
    if given is None:
        return COUNT_DEFAULT
    text = str(given)
    if not (text.isascii() and text.isdigit() and len(text) <= _COUNT_DIGITS_MAX and 0 < int(text) <= COUNT_MAX):
        raise RefusedError(f"'{text}' is no number of messages from 1 to {COUNT_MAX}", codes.USAGE)
    return int(text)
