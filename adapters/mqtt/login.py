"""The time before a client is logged in: its CONNECT, and the AUTHs that may follow it (MQTT 5 3.1, 4.12).

A connection has a `Login` until it either has a client, or is closed.  Nothing of a session exists yet; who stays in
this phase for too long is gone.  What comes of it is an `Admitted`, from which the connection goes on (running.py), or
a Refusal, whose answer may have to wait (adapters.session.admission).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from warren.adapters.mqtt import authentication
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.packets import Auth
from warren.adapters.mqtt.codec.topics import check_topic_name
from warren.adapters.mqtt.errors import Refusal, reason_of
from warren.adapters.mqtt.logging_in import enter, log_in, log_in_proved
from warren.adapters.mqtt.properties import properties_of
from warren.adapters.mqtt.publishing import check_publish
from warren.adapters.mqtt.sessions.returning import ReturningCheck
from warren.adapters.mqtt.sessions.rights import check_owner, goes_on
from warren.adapters.mqtt.sessions.wills import WillMessage
from warren.core.access.rights import BackEndFailed
from warren.core.errors import AccessRefused, BrokerError, LowOnDisk, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.adapters.mqtt.agreed import Agreed
    from warren.adapters.mqtt.authentication import Answered, Exchange
    from warren.adapters.mqtt.codec.packets import Connect
    from warren.adapters.mqtt.codec.properties import Properties
    from warren.adapters.mqtt.logging_in import Entrance
    from warren.adapters.mqtt.sessions.claims import Claims
    from warren.adapters.mqtt.sessions.registry import MqttSessions
    from warren.adapters.mqtt.sessions.world import MqttWorld
    from warren.core.access.accounts import User
    from warren.core.clients.client import Client


class Admitted(NamedTuple):
    """A client that is who it says.

    properties: of the authentication, for CONNACK.  exchange: what a later AUTH goes on with, None without a method.
    """

    connect: "Connect"
    client: "Client"
    will: WillMessage | None
    properties: "Properties"
    exchange: "Exchange | None"


class _Begun(NamedTuple):
    """An authentication that isn't through."""

    connect: "Connect"
    agreed: "Agreed"
    client_id: str
    exchange: "Exchange"


class Login:
    """One client that isn't logged in.

    expired: called when the client takes too long (`login_timeout_ms`).  claimed: the user that it says it is.
    """

    __slots__ = ("_begun", "_deadline", "_entrance", "_proved", "_returning", "_world", "claimed")

    def __init__(self, entrance: Entrance, world: MqttWorld, expired: Callable[[int], None]) -> None:
        self._entrance = entrance
        self._world = world
        self._begun: _Begun | None = None
        self._proved: Answered | None = None
        self._returning: ReturningCheck | None = None
        self.claimed = ""
        broker = entrance.broker
        self._deadline = broker.deadlines.schedule(broker.now_ms + entrance.settings.login_timeout_ms, expired)

    def connect(self, packet: Connect, agreed: Agreed, client_id: str) -> Admitted | Auth:
        """CONNECT: the client, or what it is to be asked next; Refusal says why not.

        client_id: the packet's, or the one that was made up for it.
        """
        broker, transport = self._entrance.broker, self._entrance.transport
        by_http = transport.credentials[0] if transport.credentials is not None else None
        self.claimed = by_http or packet.username or transport.certificate_name or ""
        if not packet.client_id and packet.level != versions.V5 and not packet.clean_start:
            raise Refusal(
                reason_codes.CLIENT_IDENTIFIER_NOT_VALID, "a persistent session needs a client identifier of its own"
            )
        if broker.alarms.blocked is not None:
            raise Refusal(reason_codes.SERVER_BUSY, f"the broker is {broker.alarms.blocked}; try again later")
        method = packet.properties.get("authentication_method")
        if method is None:
            user, vhost_name = log_in(self._entrance, packet)
            return Admitted(packet, *self._enter(packet, agreed, client_id, user, vhost_name), {}, None)
        exchange, answered = authentication.begin(packet, method, broker.users)
        self._begun = _Begun(packet, agreed, client_id, exchange)
        return self._answered(self._begun, answered)

    def authenticate(self, packet: Auth) -> Admitted | Auth:
        """AUTH: the client, or what it is to be asked next; raises as authentication.go_on, and Refusal."""
        begun = self._begun
        if begun is None:
            raise authentication.not_named(packet)
        if self._proved is None:
            answered = authentication.go_on(begun.exchange, packet, logged_in=False)
            if answered.user is None:
                return Auth(reason_codes.CONTINUE_AUTHENTICATION, answered.properties)
            # Kept, as this may be done again once another back-end has answered.
            self._proved = answered
        return self._answered(begun, self._proved)

    def end(self) -> None:
        """The client is logged in, or gone, or refused."""
        self._deadline.cancel()
        if self._returning is not None:
            self._returning.stop()

    def _answered(self, begun: _Begun, answered: Answered) -> Admitted | Auth:
        if answered.user is None:
            return Auth(reason_codes.CONTINUE_AUTHENTICATION, answered.properties)
        packet, agreed, client_id, exchange = begun
        user, vhost_name = log_in_proved(self._entrance, answered.user, exchange.name)
        client, will = self._enter(packet, agreed, client_id, user, vhost_name)
        return Admitted(packet, client, will, answered.properties, exchange)

    def _enter(
        self, packet: Connect, agreed: Agreed, client_id: str, user: User, vhost_name: str
    ) -> tuple[Client, WillMessage | None]:
        if self._world.claims is not None:
            # Before the login is counted, logged and limited, as all of it is done again when others have answered.
            self._claim(self._world.claims, packet, client_id, user, vhost_name)
        client = enter(self._entrance, user, vhost_name, agreed.level, client_id)
        try:
            sessions = self._world.of(client.vhost)
            sessions.permits.check_exchange()
            check_owner(sessions, client, client_id)
            if agreed.session_expiry_s and client_id not in sessions.sessions:
                client.vhost.broker.definitions.check_room()
            will = will_of(self._world, client, client_id, packet)
            if client.user.rights is not None and not packet.clean_start:
                self._check_returning(sessions, client.user, client_id)
            return client, will
        except BaseException as error:
            client.close()
            if isinstance(error, NotFound):
                raise Refusal(reason_codes.SERVER_UNAVAILABLE, error.text) from None
            if isinstance(error, LowOnDisk):
                raise Refusal(reason_codes.QUOTA_EXCEEDED, error.text) from None
            if isinstance(error, BackEndFailed):
                raise Refusal(reason_codes.SERVER_UNAVAILABLE, error.text) from None
            if isinstance(error, AccessRefused):
                raise Refusal(reason_codes.NOT_AUTHORIZED, error.text) from None
            raise

    def _claim(self, claims: Claims, packet: Connect, client_id: str, user: User, vhost_name: str) -> None:
        try:
            claims.claim(vhost_name, client_id, user.name, clean=packet.clean_start)
        except AccessRefused as error:
            raise Refusal(reason_codes.NOT_AUTHORIZED, error.text) from None

    def _check_returning(self, sessions: MqttSessions, user: User, client_id: str) -> None:
        """Have the session that goes on looked at; Unanswered until that is through, after which this is done again."""
        session = sessions.sessions.get(client_id)
        if session is None or not goes_on(session, user.name):
            return
        check = self._returning
        if check is None or not check.is_for(session, user):
            if check is not None:
                check.stop()
            # Who it is has been shown: how long this takes is for the number of subscriptions and the back-end to say.
            self._deadline.cancel()
            check = self._returning = ReturningCheck(sessions, session, user)
            check.begin()
        check.finish()


def will_of(world: MqttWorld, client: Client, client_id: str, packet: Connect) -> WillMessage | None:
    """A CONNECT's will, checked as if it were published now; Refusal says why it can't be."""
    will = packet.will
    if will is None:
        return None
    check_topic_name(will.topic, packet.level)
    try:
        check_publish(world, client, client_id, will.topic)
        properties = properties_of(world.names, will.properties, will.qos, retain=will.retain)
    except BrokerError as error:
        raise Refusal(reason_of(error), f"the will can't be published: {error.text}") from None
    except ValueError as unfit:
        raise Refusal(reason_codes.IMPLEMENTATION_SPECIFIC_ERROR, f"the will can't be published: {unfit}") from None
    return WillMessage(
        will.topic,
        will.payload,
        properties,
        retain=will.retain,
        user=client.user.name,
        user_id=client.user.id,
        actor=client.user,
    )
