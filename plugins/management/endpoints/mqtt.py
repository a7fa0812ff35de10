"""MQTT sessions, connected or not, with their subscriptions, and retained messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import UNSET

from warren.adapters.mqtt.sessions.listing import MqttSessionRow
from warren.adapters.mqtt.sessions.operations import retained, sessions
from warren.core.administration.listing.selecting import Condition, equals
from warren.core.errors import NotFound
from warren.gateway.plugin import in_turns
from warren.plugins.management import objects
from warren.plugins.management.access import Needs, check_tags, sees_everything
from warren.plugins.management.bodies import RetainedBody
from warren.plugins.management.endpoint import Call, Listed, endpoint
from warren.plugins.management.endpoints.messages import payload_of, payload_text
from warren.plugins.management.paging import number, offset_and_count
from warren.plugins.management.views import View, fields, listed, one

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.operations.retained import Retained
    from warren.adapters.mqtt.sessions.session import MqttSession

COUNT_MAX: Final = 500
"""Retained messages on a page."""

TRUNCATE_DEFAULT: Final = 4096
"""Of a retained message's body, on a page."""


class MqttClientSession(objects.Object):
    """expiry_interval: in seconds, None for ever.  disconnected_at, expires_at: in milliseconds since 1970."""

    client_id: str | objects.Missing = UNSET
    name: str | objects.Missing = UNSET
    vhost: str | objects.Missing = UNSET
    user: str | objects.Missing = UNSET
    connected: bool | objects.Missing = UNSET
    connection: str | objects.Missing | None = UNSET
    persistent: bool | objects.Missing = UNSET
    expiry_interval: int | objects.Missing | None = UNSET
    disconnected_at: int | objects.Missing | None = UNSET
    expires_at: int | objects.Missing | None = UNSET
    subscriptions: int | objects.Missing = UNSET
    queue: str | objects.Missing | None = UNSET
    messages_ready: int | objects.Missing = UNSET
    messages_unacknowledged: int | objects.Missing = UNSET
    messages_unreleased: int | objects.Missing = UNSET
    has_will: bool | objects.Missing = UNSET


class MqttSubscription(objects.Object):
    """group: of a shared subscription, else empty.  queue: where its messages come from.  identifier: 0 for none."""

    topic_filter: str
    qos: int
    group: str
    no_local: bool
    retain_as_published: bool
    identifier: int
    queue: str | None
    binding_key: str


class RetainedMessage(objects.Object):
    """publisher: the client identifier of who published it, empty for nobody known.  retained_at: in milliseconds since
    1970.  expiration: in milliseconds from then on, None for never."""

    topic: str
    publisher: str
    qos: int
    retained_at: int
    expiration: int | None
    payload_bytes: int
    payload: str
    payload_encoding: str


class RetainedPage(objects.Object):
    """In the order of the topics' tree.  total: how many match."""

    items: list[RetainedMessage]
    offset: int
    total: int


SESSIONS: Final = View(
    "mqtt_sessions",
    {
        **fields("client_id", "name", "vhost", "user", "connected", "connection", "persistent", "expiry_interval"),
        **fields("disconnected_at", "expires_at", "subscriptions", "queue"),
        **fields("messages_ready", "messages_unacknowledged", "messages_unreleased", "has_will"),
    },
)


def _own(call: Call) -> list[Condition]:
    return [] if sees_everything(call.user) else [equals("user", call.user.name)]


def _session(call: Call) -> MqttSession:
    """The session in the path; NotFound, also where it isn't the user's to see."""
    client_id = call.path["client"]
    found = sessions.existing(call.broker, call.vhost, client_id)
    if found.user != call.user.name and not sees_everything(call.user):
        raise NotFound(f"no MQTT session of the client '{client_id}' in vhost '{call.vhost}'")
    return found


@endpoint("GET", "/mqtt/sessions", "MQTT sessions, connected or not.", answer=MqttClientSession, lists=True)
async def get_all_mqtt_sessions(call: Call) -> Listed:
    return await listed(call, SESSIONS, *_own(call))


@endpoint("GET", "/mqtt/sessions/{vhost}", "MQTT sessions of a virtual host.", answer=MqttClientSession, lists=True)
async def get_mqtt_sessions(call: Call) -> Listed:
    return await listed(call, SESSIONS, *_own(call))


@endpoint(
    "GET", "/mqtt/sessions/{vhost}/{client}", "The MQTT session of a client identifier.", answer=MqttClientSession
)
async def get_mqtt_session(call: Call) -> object:
    return one(call, SESSIONS, MqttSessionRow(_session(call)))


@endpoint("DELETE", "/mqtt/sessions/{vhost}/{client}", "End an MQTT session; its client is disconnected.")
async def delete_mqtt_session(call: Call) -> None:
    if _session(call).user != call.user.name:
        check_tags(call.user, Needs.ADMINISTRATOR)
    sessions.end(call.broker, call.vhost, call.path["client"])
    call.context.changed()


@endpoint(
    "GET",
    "/mqtt/sessions/{vhost}/{client}/subscriptions",
    "What an MQTT session is subscribed to.",
    answer=MqttSubscription,
    lists=True,
)
async def get_mqtt_subscriptions(call: Call) -> Listed:
    return Listed(each._asdict() for each in sessions.subscriptions(_session(call)))


@endpoint(
    "GET",
    "/mqtt/retained/{vhost}",
    "Retained messages: ?filter=a/%23&search=TEXT&offset=0&count=100&truncate=4096.",
    answer=RetainedPage,
)
async def get_retained_messages(call: Call) -> object:
    offset, count = offset_and_count(call, COUNT_MAX, retained.KEPT_MAX)
    truncate = number(call, "truncate")
    await call.place.turn()
    steps = retained.find(
        call.broker,
        call.vhost,
        wanted=call.query.get("filter") or retained.EVERYTHING,
        search=call.query.get("search", ""),
        start=offset,
        count=count,
        user=call.user,
    )
    page = await in_turns(steps)
    size = TRUNCATE_DEFAULT if truncate is None else truncate
    return {"items": [_shown(each, size) for each in page.messages], "offset": offset, "total": page.match_count}


@endpoint("GET", "/mqtt/retained/{vhost}/{topic}", "The retained message of a topic.", answer=RetainedMessage)
async def get_retained_message(call: Call) -> object:
    return _shown(retained.get(call.broker, call.vhost, call.path["topic"], user=call.user), None)


@endpoint(
    "PUT",
    "/mqtt/retained/{vhost}/{topic}",
    "Publish a message to a topic, retained; subscribers get it, too.",
    body=RetainedBody,
    large=True,
)
async def put_retained_message(call: Call) -> None:
    body: RetainedBody = call.body
    payload = payload_of(body.payload, body.payload_encoding)
    retained.put(call.broker, call.vhost, call.path["topic"], payload, qos=body.qos, user=call.user)
    call.context.changed()


@endpoint("DELETE", "/mqtt/retained/{vhost}/{topic}", "Retain nothing for a topic any more.")
async def delete_retained_message(call: Call) -> None:
    retained.remove(call.broker, call.vhost, call.path["topic"], user=call.user)
    call.context.changed()


def _shown(each: Retained, truncate: int | None) -> dict[str, object]:
    message = each.message
    text, encoding = payload_text(message.body if truncate is None else message.body[:truncate], "auto")
    expiration = message.properties.expiration
    return {
        "topic": each.topic,
        "publisher": each.publisher,
        "qos": retained.qos_of(message),
        "retained_at": message.published_at_ms,
        "expiration": int(expiration) if expiration is not None else None,
        "payload_bytes": message.body_size,
        "payload": text,
        "payload_encoding": encoding,
    }
