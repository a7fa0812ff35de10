"""Enhanced authentication: AUTH in several steps (MQTT 5 4.12).

A method is one entry of `METHODS`; it answers each of the client's data with data of its own until it knows the user,
or refuses.  An `Exchange` is one run of a method that a CONNECT has named.  A connection may authenticate again, by the
same method and as the same user, without being interrupted.

    CONNECT  ->  begin       the method's name and its first data
    AUTH     ->  go_on       until a step names the user
    AUTH     ->  go_on       0x19 begins anew, once the login is through

Whoever holds the exchange does with the user what is to be done: Login enters a virtual host, Running compares.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from warren.adapters.mqtt.codec import reason_codes
from warren.adapters.mqtt.codec.errors import ProtocolViolation
from warren.adapters.mqtt.errors import Refusal
from warren.adapters.mqtt.scram import SCRAM_SHA_256, ScramSha256

if TYPE_CHECKING:
    from warren.adapters.mqtt.codec.packets import Auth, Connect
    from warren.adapters.mqtt.codec.properties import Properties
    from warren.adapters.mqtt.scram import Step
    from warren.core.access.users import Users


class Method(Protocol):
    """One authentication under way."""

    def answer(self, data: bytes) -> Step:
        """Take the client's data; Refusal (0x87) when it proves nothing."""


METHODS: Final[dict[str, Callable[[Users], Method]]] = {SCRAM_SHA_256: ScramSha256}
"""Methods by name; each makes one for the users that there are."""


class Answered(NamedTuple):
    """What a step came to.  user: its name as the client gave it, None while the client's next data is due.

    properties: what is to be said to the client, in CONNACK or AUTH.
    """

    user: str | None
    properties: "Properties"


class Exchange:
    """An authentication that a client has begun.  name: of the method.  under_way: the client's next data is due."""

    __slots__ = ("_method", "_users", "name", "under_way")

    def __init__(self, name: str, users: Users) -> None:
        make = METHODS.get(name)
        if make is None:
            known = ", ".join(sorted(METHODS)) or "none"
            raise Refusal(
                reason_codes.BAD_AUTHENTICATION_METHOD,
                f"there is no authentication method '{name}'; there are {known}",
            )
        self.name = name
        self._users = users
        self._method = make(users)
        self.under_way = True

    def step(self, data: bytes) -> Answered:
        """Take the client's data; Refusal (0x87) when it proves nothing."""
        step = self._method.answer(data)
        self.under_way = step.user is None
        properties: Properties = {"authentication_method": self.name}
        if step.data:
            properties["authentication_data"] = step.data
        return Answered(step.user, properties)

    def begin_anew(self) -> None:
        """The client authenticates again."""
        self._method = METHODS[self.name](self._users)
        self.under_way = True


def begin(packet: Connect, name: str, users: Users) -> tuple[Exchange, Answered]:
    """A CONNECT that names a method; Refusal 0x8C for an unknown one (MQTT-4.12.0-1)."""
    exchange = Exchange(name, users)
    return exchange, exchange.step(packet.properties.get("authentication_data", b""))


def go_on(exchange: Exchange, packet: Auth, *, logged_in: bool) -> Answered:
    """An AUTH of the client (MQTT-4.12.0-5, MQTT-4.12.1-1).

    exchange: what CONNECT began.  Raises ProtocolViolation for an AUTH out of turn, Refusal (0x87) when it proves
    nothing.
    """
    name = packet.properties.get("authentication_method", "")
    if name != exchange.name:
        raise not_named(packet)
    if packet.reason_code == reason_codes.REAUTHENTICATE:
        if not logged_in:
            raise ProtocolViolation(reason_codes.PROTOCOL_ERROR, "4.12.1", "re-authentication before the login")
        exchange.begin_anew()
    elif not exchange.under_way:
        raise ProtocolViolation(reason_codes.PROTOCOL_ERROR, "4.12.1", "AUTH goes on with what was not begun")
    return exchange.step(packet.properties.get("authentication_data", b""))


def not_named(packet: Auth) -> ProtocolViolation:
    """An AUTH of a client whose CONNECT named another method, or none (MQTT-4.12.0-6)."""
    name = packet.properties.get("authentication_method", "")
    return ProtocolViolation(
        reason_codes.PROTOCOL_ERROR, "MQTT-4.12.0-6", f"AUTH with the method '{name}', which CONNECT didn't name"
    )
