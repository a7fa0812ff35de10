"""CONNECT: version, login, virtual host, heart-beats (STOMP 1.2, "Connecting"; spec B.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from warren.adapters.session.admission import (
    LoginRefused,
    LoopbackOnly,
    UnknownVirtualHost,
    VirtualHostRefused,
    enter,
    let_in,
)
from warren.adapters.session.admission import log_in as admit
from warren.adapters.stomp.codec.errors import BAD_CONNECT, LoginError, StompError
from warren.adapters.stomp.codec.escaping import V1_0, V1_1, V1_2
from warren.adapters.stomp.heart_beats import negotiate
from warren.core.clients.rate_limits import TOLD_AS
from warren.core.errors import NotAllowed

if TYPE_CHECKING:
    from warren.adapters.stomp.codec.frames import Frame
    from warren.adapters.stomp.session import StompSession
    from warren.core.access.accounts import User
    from warren.core.clients.client import Client

VERSIONS: Final = (V1_2, V1_1, V1_0)
"""Served, the best first."""

VERSIONS_TEXT: Final = "1.0,1.1,1.2"

LOCAL_NAME: Final = "localhost"

ATTEMPTS_LABEL: Final = "stomp"
"""How RabbitMQ calls the protocol where it counts logins."""


def connect(session: StompSession, frame: Frame) -> None:
    """CONNECT or STOMP: CONNECTED goes out, or StompError says why not, which ends the connection."""
    headers = frame.headers
    if "accept-version" not in headers:
        headers = {name: value.lstrip(" \t") for name, value in headers.items()}
    version = _version(headers)
    receive_ms, send_ms = negotiate(headers.get("heart-beat", "0,0"))
    client, mechanism = log_in(session, headers, version)
    session.connected(client, mechanism, version, receive_ms, send_ms)
    let_in(session.broker, session.transport, ATTEMPTS_LABEL, client.user.name)
    answer = [("session", session.id), ("heart-beat", f"{send_ms},{receive_ms}"), ("version", version)]
    if session.settings.server:
        # First, as from RabbitMQ: programs look for it there.
        answer.insert(0, ("server", session.settings.server))
    rates = session.broker.rate_limits.told(client)
    if rates:
        answer.append((TOLD_AS, rates))
    session.send("CONNECTED", answer, version=V1_0)


def connect_implicitly(session: StompSession) -> None:
    """The session is the default user's from its first frame on; nothing is answered (spec B.2)."""
    client, mechanism = log_in(session, {}, V1_0)
    session.connected(client, mechanism, V1_0, 0, 0)
    let_in(session.broker, session.transport, ATTEMPTS_LABEL, client.user.name)


def log_in(session: StompSession, headers: Mapping[str, str], version: str) -> tuple[Client, str]:
    """The client that these headers name, and how it proved that; StompError when it may not be."""
    user, mechanism = _user(session, headers)
    name = _vhost_name(session, headers.get("host", session.settings.default_vhost))
    try:
        client = enter(
            session.broker,
            session.transport,
            user,
            name,
            f"STOMP {version}",
            {},
            has_channels=False,
            client_id=headers.get("client-id", ""),
        )
    except (UnknownVirtualHost, VirtualHostRefused):
        raise LoginError(
            user.name,
            f"Virtual host '{name}' access denied",
            f"it doesn't exist, or user '{user.name}' has no permissions there; name another one in the header host",
        ) from None
    except NotAllowed as error:
        raise StompError(BAD_CONNECT, error.text, fatal=True) from None
    return client, mechanism


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


def _user(session: StompSession, headers: Mapping[str, str]) -> tuple[User, str]:
    settings = session.settings
    transport = session.transport
    login = headers.get("login")
    password: str | None = headers.get("passcode", "")
    if login == password == "":
        # Libraries that always write both headers mean none by two empty ones.
        headers, login = {}, None
    if transport.credentials is not None:
        login, password = transport.credentials
    elif login is None and settings.certificate_login and transport.certificate_name is not None:
        login, password = transport.certificate_name, None
    elif login is None:
        login, password = settings.default_user, headers.get("passcode", settings.default_password)
    try:
        user = admit(session.broker, transport, login, password, "STOMP")
        return user, "PLAIN" if password is not None else "EXTERNAL"
    except LoopbackOnly:
        raise LoginError(
            login, "non-loopback access denied", f"user '{login}' may only connect from the broker's own machine"
        ) from None
    except LoginRefused:
        raise LoginError(login, f"Access refused for user '{login}'", "check the headers login and passcode") from None


def _vhost_name(session: StompSession, name: str) -> str:
    """The virtual host that the header host means.

    The specification recommends that clients give the host name that they connected to, and some libraries do so
    unasked; a virtual host that doesn't exist but is called like the broker's own address is the default one.
    """
    if name not in session.broker.vhosts and name in (session.transport.host, LOCAL_NAME):
        return session.settings.default_vhost
    return name
