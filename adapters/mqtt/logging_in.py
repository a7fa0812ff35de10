"""Who a client is, and which virtual host it enters (spec C.2).

Who: the user of CONNECT's credentials; without any, the user that its TLS certificate names, if such logins are
allowed; else the default user, if anonymous clients are.  A user name without a password is no credentials, and neither
are two empty ones, which Tasmota and Zigbee2MQTT send: mosquitto lets them in where it lets in anybody.  The name of a
user needs its password, though.

Where, the first of these that says something:

    with a password or anonymously              by a certificate
    `VHOST:` before the user name               mqtt_default_vhosts, by the certificate's name
    mqtt_port_to_vhost_mapping, by the port     mqtt_port_to_vhost_mapping, by the port
    the configuration                           `VHOST:` before the user name
                                                the configuration

The two that are named so are global parameters: JSON objects whose values are virtual hosts.  The rest is the same for
all protocols (adapters.session.admission); here its errors become reason codes.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.errors import Refusal
from warren.adapters.session import admission
from warren.adapters.session.admission import LoginRefused, LoopbackOnly, UnknownVirtualHost, VirtualHostRefused
from warren.core.clients.transport import connection_name
from warren.core.errors import NotAllowed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warren.adapters.mqtt.codec.packets import Connect
    from warren.adapters.mqtt.settings import MqttSettings
    from warren.core.access.accounts import User
    from warren.core.broker import Broker
    from warren.core.clients.client import Client
    from warren.core.clients.transport import Transport
    from warren.core.messages.field_table import FieldValue

_log = logging.getLogger("warren.mqtt")

PORT_MAPPING: Final = "mqtt_port_to_vhost_mapping"
CERTIFICATE_MAPPING: Final = "mqtt_default_vhosts"
"""RabbitMQ's names of the global parameters."""

ATTEMPTS_LABEL: Final = "mqtt"
"""How RabbitMQ calls the protocol where it counts logins."""

PROTOCOLS: Final = {versions.V3_1: "MQTT 3-1", versions.V3_1_1: "MQTT 3-1-1", versions.V5: "MQTT 5-0"}
"""The protocol levels as listings name them."""


NO_PROPERTIES: Final[Mapping[str, FieldValue]] = {}
"""What an MQTT client says of itself is in the terms of its connection, and listed from there."""


class Entrance:
    """Where one client comes in: what its login is looked at by, beside its packets.

    settings: of the listener.  transport: tells where the client is, and who by TLS or HTTP.
    """

    __slots__ = ("broker", "settings", "transport")

    def __init__(self, broker: Broker, transport: Transport, settings: MqttSettings) -> None:
        self.broker = broker
        self.transport = transport
        self.settings = settings


def log_in(entrance: Entrance, packet: Connect) -> tuple[User, str]:
    """The user of a CONNECT, and the name of the virtual host that it means; Refusal says why not."""
    settings = entrance.settings
    transport = entrance.transport
    name, password = packet.username, packet.password
    if transport.credentials is not None:
        name, password = transport.credentials[0], transport.credentials[1].encode()
    if not password and not _is_user(entrance, name):
        if settings.certificate_login and transport.certificate_name is not None:
            return _by_certificate(entrance, transport.certificate_name)
        if settings.allow_anonymous:
            if name:
                text = "connection %s: '%s' without a password is nobody's user name; it is the anonymous user's"
                _log.info(text, connection_name(transport), name)
            name, password = settings.default_user, settings.default_password.encode()
    if not name or not password:
        raise Refusal(reason_codes.BAD_USER_NAME_OR_PASSWORD, "a user name and a password are needed")
    return _by_password(entrance, name, password.decode("utf-8", "surrogateescape"), packet.client_id)


def log_in_proved(entrance: Entrance, name: str, mechanism: str) -> tuple[User, str]:
    """The same for a user who has proved who it is by `mechanism`."""
    user_name, vhost_name = choose_vhost(entrance, name)
    missing = f"there is no user '{user_name}' any more"
    return _admit(entrance, user_name, mechanism, missing, proved_here=True), vhost_name


def enter(entrance: Entrance, user: User, vhost_name: str, level: int, client_id: str) -> Client:
    """The client that a user is in a virtual host, from where it comes; Refusal says why not."""
    protocol = PROTOCOLS[level]
    try:
        return admission.enter(
            entrance.broker,
            entrance.transport,
            user,
            vhost_name,
            protocol,
            NO_PROPERTIES,
            has_channels=False,
            client_id=client_id,
        )
    except UnknownVirtualHost:
        raise Refusal(
            reason_codes.BAD_USER_NAME_OR_PASSWORD, f"there is no virtual host '{vhost_name}' for user '{user.name}'"
        ) from None
    except VirtualHostRefused:
        raise Refusal(
            reason_codes.NOT_AUTHORIZED, f"user '{user.name}' has no permissions in virtual host '{vhost_name}'"
        ) from None
    except NotAllowed as error:
        raise Refusal(reason_codes.QUOTA_EXCEEDED, error.text) from None


def choose_vhost(entrance: Entrance, name: str, certificate_name: str | None = None) -> tuple[str, str]:
    """The user's name, without the virtual host before it, and the virtual host; see the head of this file."""
    by_port = _mapped(entrance, PORT_MAPPING, str(entrance.transport.port))
    user_name, by_prefix = _split(entrance, name)
    default = entrance.settings.default_vhost
    if certificate_name is None:
        return user_name, by_prefix or by_port or default
    mapped = _mapped(entrance, CERTIFICATE_MAPPING, certificate_name) or by_port
    return (name, mapped) if mapped else (user_name, by_prefix or default)


def _is_user(entrance: Entrance, name: str | None) -> bool:
    return bool(name) and choose_vhost(entrance, name or "")[0] in entrance.broker.users


def _by_password(entrance: Entrance, name: str, password: str, client_id: str) -> tuple[User, str]:
    user_name, vhost_name = choose_vhost(entrance, name)
    properties = (("vhost", vhost_name), ("client_id", client_id))
    try:
        user = admission.log_in(entrance.broker, entrance.transport, user_name, password, "MQTT", properties)
    except LoopbackOnly:
        raise _from_elsewhere(user_name) from None
    except LoginRefused:
        raise Refusal(
            reason_codes.BAD_USER_NAME_OR_PASSWORD, f"access refused for user '{user_name}'; check the credentials"
        ) from None
    verifiers = entrance.broker.users.verifiers
    if user.rights is None and user_name not in verifiers:
        verifiers.make(user_name, password)
    return user, vhost_name


def _by_certificate(entrance: Entrance, certificate_name: str) -> tuple[User, str]:
    name, vhost_name = choose_vhost(entrance, certificate_name, certificate_name)
    missing = f"there is no user '{name}', which the client's certificate names"
    return _admit(entrance, name, "EXTERNAL", missing), vhost_name


def _admit(entrance: Entrance, name: str, mechanism: str, missing: str, *, proved_here: bool = False) -> User:
    broker, transport = entrance.broker, entrance.transport
    try:
        return admission.log_in(broker, transport, name, None, mechanism, proved_here=proved_here)
    except LoopbackOnly:
        raise _from_elsewhere(name) from None
    except LoginRefused:
        raise Refusal(reason_codes.NOT_AUTHORIZED, missing) from None


def _from_elsewhere(name: str) -> Refusal:
    return Refusal(reason_codes.NOT_AUTHORIZED, f"user '{name}' may only connect from the broker's own machine")


def _split(entrance: Entrance, name: str) -> tuple[str, str]:
    """`vhost:user`, cut at the last colon; a user whose name has a colon in it is found first."""
    if entrance.settings.ignore_colons_in_username or ":" not in name or name in entrance.broker.users:
        return name, ""
    vhost_name, _, user_name = name.rpartition(":")
    return user_name, vhost_name


def _mapped(entrance: Entrance, parameter: str, key: str) -> str:
    mapping = entrance.broker.parameters.get_global(parameter)
    found = mapping.get(key) if isinstance(mapping, dict) else None
    return found if isinstance(found, str) else ""
