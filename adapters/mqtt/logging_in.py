"""Who a client is, and which virtual host it enters (spec C.2).

Who: the user of CONNECT's credentials; without any, the user that its TLS certificate names, if such logins are
allowed; else the default user, if anonymous clients are.

Where, the first of these that says something:

    with a password or anonymously              by a certificate
    `VHOST:` before the user name               mqtt_default_vhosts, by the certificate's name
    mqtt_port_to_vhost_mapping, by the port     mqtt_port_to_vhost_mapping, by the port
    the configuration                           `VHOST:` before the user name
                                                the configuration

The two that are named so are global parameters: JSON objects whose values are virtual hosts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.codec import reason_codes
from warren.adapters.mqtt.errors import Refusal
from warren.core.access.accounts import LoginRefused, User
from warren.core.clients.transport import is_loopback

if TYPE_CHECKING:
    from warren.adapters.mqtt.codec.packets import Connect
    from warren.adapters.mqtt.connection import MqttConnection
    from warren.core.routing.vhost import VirtualHost

PORT_MAPPING: Final = "mqtt_port_to_vhost_mapping"
CERTIFICATE_MAPPING: Final = "mqtt_default_vhosts"
"""RabbitMQ's names of the global parameters."""


def log_in(connection: MqttConnection, packet: Connect) -> tuple[User, VirtualHost]:
    """The user and virtual host of a CONNECT; Refusal says why not."""
    settings = connection.settings
    transport = connection.transport
    name, password = packet.username, packet.password
    if transport.credentials is not None:
        name, password = transport.credentials[0], transport.credentials[1].encode()
    if name is None and password is None:
        if settings.certificate_login and transport.certificate_name is not None:
            return _admit(connection, transport.certificate_name)
        if settings.allow_anonymous:
            name, password = settings.default_user, settings.default_password.encode()
    if name is None or not password:
        raise Refusal(reason_codes.BAD_USER_NAME_OR_PASSWORD, "a user name and a password are needed")
    return _authenticate(connection, name, password.decode("utf-8", "surrogateescape"))


def _authenticate(connection: MqttConnection, name: str, password: str) -> tuple[User, VirtualHost]:
    users = connection.broker.users
    user_name, vhost_name = choose_vhost(connection, name)
    try:
        user = users.authenticate(user_name, password, True, "MQTT")
    except LoginRefused:
        raise Refusal(
            reason_codes.BAD_USER_NAME_OR_PASSWORD, f"access refused for user '{user_name}'; check the credentials"
        ) from None
    if user_name not in users.verifiers:
        users.verifiers.make(user_name, password)
    return user, check_access(connection, user, vhost_name)


def _admit(connection: MqttConnection, certificate_name: str) -> tuple[User, VirtualHost]:
    """The user that the client's certificate names."""
    name, vhost_name = choose_vhost(connection, certificate_name, certificate_name)
    try:
        user = connection.broker.users.admit(name, True, "EXTERNAL")
    except LoginRefused:
        raise Refusal(
            reason_codes.NOT_AUTHORIZED, f"there is no user '{name}', which the client's certificate names"
        ) from None
    return user, check_access(connection, user, vhost_name)


def choose_vhost(connection: MqttConnection, name: str, certificate_name: str | None = None) -> tuple[str, str]:
    """The user's name, without the virtual host before it, and the virtual host; see the head of this file."""
    by_port = _mapped(connection, PORT_MAPPING, str(connection.transport.port))
    user_name, by_prefix = _split(connection, name)
    default = connection.settings.default_vhost
    if certificate_name is None:
        return user_name, by_prefix or by_port or default
    mapped = _mapped(connection, CERTIFICATE_MAPPING, certificate_name) or by_port
    return (name, mapped) if mapped else (user_name, by_prefix or default)


def _split(connection: MqttConnection, name: str) -> tuple[str, str]:
    """`vhost:user`, cut at the last colon; a user whose name has a colon in it is found first."""
    if connection.settings.ignore_colons_in_username or ":" not in name or name in connection.broker.users:
        return name, ""
    vhost_name, _, user_name = name.rpartition(":")
    return user_name, vhost_name


def _mapped(connection: MqttConnection, parameter: str, key: str) -> str:
    mapping = connection.broker.parameters.get_global(parameter)
    found = mapping.get(key) if isinstance(mapping, dict) else None
    return found if isinstance(found, str) else ""


def check_access(connection: MqttConnection, user: User, vhost_name: str) -> VirtualHost:
    """The virtual host, for this user from where it connects; Refusal says why not."""
    broker = connection.broker
    if user.name in broker.users.loopback_users and not is_loopback(connection.transport.peer_host):
        raise Refusal(reason_codes.NOT_AUTHORIZED, f"user '{user.name}' may only connect from the broker's own machine")
    vhost = broker.vhosts.get(vhost_name)
    if vhost is None:
        raise Refusal(reason_codes.BAD_USER_NAME_OR_PASSWORD, f"there is no virtual host '{vhost_name}'")
    if not broker.users.may_access_vhost(user.name, vhost_name):
        raise Refusal(
            reason_codes.NOT_AUTHORIZED, f"user '{user.name}' has no permissions in virtual host '{vhost_name}'"
        )
    return vhost
