"""Who is let in: the user's login and the virtual host, by one rule for all protocols.

    log_in      who it is: by a password, or by what has proved it already (a certificate, SCRAM)
    enter       the virtual host that the user asked for; from then on there is a Client
    let_in      so it is counted
    refuse      not: said late, see core.clients.refused_logins, and counted

What a protocol adds is where it finds names and passwords, and how it says no.  The errors tell it what was wrong:

    LoginRefused             there is no such user, or the password is another one
    LoopbackOnly             such a LoginRefused: the user may log in from the broker's own machine alone (spec G)
    UnknownVirtualHost       there is none of this name
    VirtualHostRefused       the user has no permissions in it
    NotAllowed               neither of these two: a limit is reached, which is no secret and said at once
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from warren.core.access.accounts import LoginRefused, LoopbackOnly
from warren.core.access.rights import BackEndFailed
from warren.core.clients.client import Client
from warren.core.clients.connection_log import log_logged_in
from warren.core.clients.login_attempts import Source
from warren.core.clients.transport import connection_name, is_loopback
from warren.core.errors import NotAllowed, UnknownVirtualHost, VirtualHostRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from warren.core.access.accounts import User
    from warren.core.broker import Broker, SessionEntry
    from warren.core.clients.transport import Carrier, Session, Transport
    from warren.core.messages.field_table import FieldValue

__all__ = [
    "LoginRefused",
    "LoopbackOnly",
    "Source",
    "UnknownVirtualHost",
    "VirtualHostRefused",
    "enter",
    "let_in",
    "log_in",
    "refuse",
    "refused",
]


def log_in(
    broker: Broker,
    transport: Transport,
    name: str,
    password: str | None,
    mechanism: str,
    properties: tuple[tuple[str, str], ...] = (),
    *,
    proved_here: bool = False,
) -> User:
    """The user of this name who connects by `transport`.

    password: None when the mechanism itself vouches for the user, who then only has to be there.  mechanism: for the
    error's text.  properties: what the protocol knows besides, for other authentication back-ends.  proved_here: by
    what the broker keeps of its own user's password (SCRAM).  Raises
    LoginRefused, or LoopbackOnly; and Unanswered (core.access.answers), after which it is to be called again.
    """
    return broker.users.log_in(
        name,
        password,
        is_loopback=is_loopback(transport.peer_host),
        mechanism=mechanism,
        peer_host=transport.peer_host,
        properties=properties,
        proved_here=proved_here,
    )


def enter(
    broker: Broker,
    transport: Transport,
    user: User,
    vhost_name: str,
    protocol: str,
    properties: Mapping[str, FieldValue],
    *,
    has_channels: bool,
    client_id: str = "",
) -> Client:
    """The client that `user` is from now on, in the virtual host of this name.

    protocol: its name and version, as listings show it.  properties: what the client says of itself.  has_channels:
    the protocol has channels, which are counted when they are opened; where it has none, the connection counts as one.
    client_id: what the client calls itself.
    Raises UnknownVirtualHost, VirtualHostRefused, or NotAllowed for a limit that is reached; and Unanswered.
    VirtualHostRefused, too, for a user who was deleted, or got another password, since logging in.
    """
    known_here = user.rights is None or user.rights.is_internal_user
    now = broker.users.get(user.name) if known_here else None
    if now is not None and now.id != user.id:
        raise VirtualHostRefused(
            f"user '{user.name}' was deleted since the login, and is another one now; log in again"
        )
    if now is not None and now.password_hash != user.password_hash:
        raise VirtualHostRefused(f"user '{user.name}' has another password since the login; log in again")
    try:
        vhost = broker.open_vhost(user, vhost_name)
    except BackEndFailed as error:
        raise VirtualHostRefused(error.text) from None
    client = Client(connection_name(transport), user, vhost, protocol, properties)
    if not has_channels:
        try:
            client.open_channel()
        except NotAllowed:
            client.close()
            raise
    client.id = client_id
    _look_at_rates(broker, client, cast("Carrier", transport))
    log_logged_in(client, transport, client_id)
    return client


def _look_at_rates(broker: Broker, client: Client, carrier: Carrier) -> None:
    """Hold the connection back if limits say so (pace.py), which is loaded where there are any."""
    limits = broker.rate_limits
    limits.begin = look_at_rate
    if limits.concern(client):
        from warren.adapters.session import pace

        pace.begin(broker, client, carrier)


def look_at_rate(session: SessionEntry) -> None:
    """Limits of rates have changed: hold the session back, or no longer, or otherwise than before."""
    if hasattr(session, "rates_changed"):
        session.rates_changed()
    elif session.connection_row().client is not None:
        from warren.adapters.session import pace

        pace.look(session)


def let_in(broker: Broker, transport: Transport, protocol: str, user: str) -> None:
    """Count a login that has succeeded (core.clients.login_attempts).  protocol: RabbitMQ's name, such as `amqp091`."""
    broker.login_attempts.count(Source(protocol, transport.peer_host, user), succeeded=True)
    broker.strangers.logged_in(transport)


def refused(broker: Broker, source: Source) -> None:
    """Count a login that has failed, which is answered otherwise."""
    broker.login_attempts.count(source, succeeded=False)


def refuse(broker: Broker, session: Session, source: Source, answer: Callable[[], None]) -> None:
    """Count a login that has failed, and have `answer` tell the peer and close, late.

    Until then the session takes nothing that comes; `broker.refused_logins` is to be told when its connection is lost
    (`forget`) or the broker stops (`answer_now`).
    """
    refused(broker, source)
    broker.refused_logins.add(session, answer, broker.now_ms)
