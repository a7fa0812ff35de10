"""CONNECT: version, login, virtual host, heart-beats (STOMP 1.2, "Connecting"; spec B.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from warren.adapters.stomp.codec.errors import StompError
from warren.adapters.stomp.codec.escaping import V1_0, V1_1, V1_2
from warren.adapters.stomp.heartbeat import negotiate
from warren.core.access.accounts import LoginRefused, User
from warren.core.clients.client import Client
from warren.core.clients.transport import is_loopback
from warren.core.errors import NotAllowed

if TYPE_CHECKING:
    from warren.adapters.stomp.codec.frames import Frame
    from warren.adapters.stomp.session import StompSession
    from warren.core.routing.vhost import VirtualHost

VERSIONS: Final = (V1_2, V1_1, V1_0)
"""Served, the best first."""

VERSIONS_TEXT: Final = "1.0,1.1,1.2"

BAD_CONNECT: Final = "Bad CONNECT"

LOCAL_NAME: Final = "localhost"


def connect(session: StompSession, frame: Frame) -> None:
    """CONNECT or STOMP: CONNECTED goes out, or StompError says why not, which ends the connection."""
    headers = frame.headers
    if "accept-version" not in headers:
        headers = {name: value.lstrip(" \t") for name, value in headers.items()}
    version = _version(headers)
    receive_ms, send_ms = negotiate(headers.get("heart-beat", "0,0"))
    client = log_in(session, headers, version)
    session.connected(client, version, receive_ms, send_ms)
    answer = [("session", session.id), ("heart-beat", f"{send_ms},{receive_ms}"), ("version", version)]
    if session.settings.server:
        answer.append(("server", session.settings.server))
    session.send("CONNECTED", answer, version=V1_0)


def connect_implicitly(session: StompSession) -> None:
    """The session is the default user's from its first frame on; nothing is answered (spec B.2)."""
    session.connected(log_in(session, {}, V1_0), V1_0, 0, 0)


def log_in(session: StompSession, headers: Mapping[str, str], version: str) -> Client:
    """The client that these headers name; StompError when it may not be."""
    broker = session.broker
    user = _user(session, headers)
    name = headers.get("host", session.settings.default_vhost)
    vhost = _vhost(session, user, name)
    client = Client(session.name, user, vhost, f"STOMP {version}", {})
    try:
        client.open_channel()
    except NotAllowed as error:
        client.close()
        raise StompError(BAD_CONNECT, error.text, fatal=True) from None
    session.users_version = broker.users.version
    return client


def _version(headers: Mapping[str, str]) -> str:
    accepted = {each.strip() for each in headers.get("accept-version", V1_0).split(",")}
    for version in VERSIONS:
        if version in accepted:
            return version
    raise StompError(
        "Version mismatch",
        f"Supported versions are {VERSIONS_TEXT}",
        fatal=True,
    )


def _user(session: StompSession, headers: Mapping[str, str]) -> User:
    settings = session.settings
    users = session.broker.users
    login = headers.get("login")
    certificate = session.transport.certificate_name
    session.mechanism = "PLAIN"
    try:
        if session.transport.credentials is not None:
            login, password = session.transport.credentials
            user = users.authenticate(login, password, True, "STOMP")
        elif login is None and settings.certificate_login and certificate is not None:
            login = certificate
            session.mechanism = "EXTERNAL"
            user = users.admit(login, True, "EXTERNAL")
        else:
            password = headers.get("passcode", "")
            if login is None:
                login, password = settings.default_user, headers.get("passcode", settings.default_password)
            user = users.authenticate(login, password, True, "STOMP")
    except LoginRefused:
        raise StompError(
            BAD_CONNECT, f"Access refused for user '{login}'; check the headers login and passcode", fatal=True
        ) from None
    if user.name in users.loopback_users and not is_loopback(session.transport.peer_host):
        raise StompError(
            BAD_CONNECT,
            f"non-loopback access denied: user '{user.name}' may only connect from the broker's own machine",
            fatal=True,
        )
    return user


def _vhost(session: StompSession, user: User, name: str) -> VirtualHost:
    """The virtual host, for `user`.

    The specification recommends that clients give the host name that they connected to, and some libraries do so
    unasked; a virtual host that doesn't exist but is called like the broker's own address is the default one.
    """
    broker = session.broker
    if name not in broker.vhosts and name in (session.transport.host, LOCAL_NAME):
        name = session.settings.default_vhost
    if name not in broker.vhosts or not broker.users.may_access_vhost(user.name, name):
        raise StompError(
            BAD_CONNECT,
            f"Virtual host '{name}' access denied: it doesn't exist, or user '{user.name}' has no permissions there; "
            "name another one in the header host",
            fatal=True,
        )
    try:
        return broker.open_vhost(user, name)
    except NotAllowed as error:
        raise StompError(BAD_CONNECT, error.text, fatal=True) from None
