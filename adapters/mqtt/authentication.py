"""Enhanced authentication: AUTH in several steps (MQTT 5 4.12).

A method is one entry of `METHODS`; it makes an `Exchange` for a CONNECT, which answers each of the client's data with
data of its own until it knows the user, or refuses.  A connection may authenticate again, by the same method and as the
same user, without being interrupted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from warren.adapters.mqtt import connecting
from warren.adapters.mqtt.codec import reason_codes
from warren.adapters.mqtt.codec.errors import ProtocolViolation
from warren.adapters.mqtt.codec.packets import Auth, Connect
from warren.adapters.mqtt.errors import Refusal
from warren.adapters.mqtt.logging_in import check_access, choose_vhost
from warren.adapters.mqtt.scram import SCRAM_SHA_256, ScramSha256

if TYPE_CHECKING:
    from warren.adapters.mqtt.codec.properties import Properties
    from warren.adapters.mqtt.connection import MqttConnection
    from warren.adapters.mqtt.scram import Step
    from warren.core.access.users import Users


class Method(Protocol):
    """One authentication under way."""

    def answer(self, data: bytes) -> Step:
        """Take the client's data; Refusal (0x87) when it proves nothing."""


METHODS: Final[dict[str, Callable[[Users], Method]]] = {SCRAM_SHA_256: ScramSha256}
"""Methods by name; each makes one for the users that there are."""


class Exchange:
    """An authentication that a connection has begun, with what to do when it is through.

    under_way: the client's next data is due.
    """

    __slots__ = ("assigned", "connect", "method", "name", "under_way")

    def __init__(self, name: str, method: Method, connect: Connect, assigned: bool) -> None:
        self.name = name
        self.method = method
        self.connect = connect
        self.assigned = assigned
        self.under_way = True


def begin(connection: MqttConnection, packet: Connect, name: str, assigned: bool) -> None:
    """A CONNECT that names a method; Refusal 0x8C for an unknown one (MQTT-4.12.0-1)."""
    make = METHODS.get(name)
    if make is None:
        raise Refusal(
            reason_codes.BAD_AUTHENTICATION_METHOD, f"there is no authentication method '{name}'; there are {known()}"
        )
    connection.exchange = Exchange(name, make(connection.broker.users), packet, assigned)
    _step(connection, connection.exchange, packet.properties.get("authentication_data", b""))


def go_on(connection: MqttConnection, packet: Auth) -> None:
    """An AUTH of the client (MQTT-4.12.0-5, MQTT-4.12.1-1)."""
    exchange = connection.exchange
    name = packet.properties.get("authentication_method", "")
    if exchange is None or name != exchange.name:
        raise ProtocolViolation(
            reason_codes.PROTOCOL_ERROR, "MQTT-4.12.0-6", f"AUTH with the method '{name}', which CONNECT didn't name"
        )
    if packet.reason_code == reason_codes.REAUTHENTICATE:
        if connection.client is None:
            raise ProtocolViolation(reason_codes.PROTOCOL_ERROR, "4.12.1", "re-authentication before the login")
        exchange.method = METHODS[name](connection.broker.users)
        exchange.under_way = True
    elif not exchange.under_way:
        raise ProtocolViolation(reason_codes.PROTOCOL_ERROR, "4.12.1", "AUTH goes on with what was not begun")
    _step(connection, exchange, packet.properties.get("authentication_data", b""))


def known() -> str:
    """The names of the methods, for people."""
    return ", ".join(sorted(METHODS)) or "none"


def _step(connection: MqttConnection, exchange: Exchange, data: bytes) -> None:
    step = exchange.method.answer(data)
    exchange.under_way = step.user is None
    properties: Properties = {"authentication_method": exchange.name}
    if step.data:
        properties["authentication_data"] = step.data
    if step.user is None:
        connection.send(Auth(reason_codes.CONTINUE_AUTHENTICATION, properties))
    elif connection.client is None:
        user_name, vhost_name = choose_vhost(connection, step.user)
        user = connection.broker.users.get(user_name)
        if user is None:
            raise Refusal(reason_codes.NOT_AUTHORIZED, "the user is gone")
        vhost = check_access(connection, user, vhost_name)
        connecting.enter(connection, exchange.connect, user, vhost, assigned=exchange.assigned, properties=properties)
    elif step.user != connection.client.user.name:
        raise Refusal(reason_codes.NOT_AUTHORIZED, "re-authentication as another user")
    else:
        connection.send(Auth(reason_codes.SUCCESS, properties))
