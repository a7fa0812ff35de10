"""From the first byte to an open virtual host: who the client is, what is agreed on (spec H.2, "Handshake").

    -> PeerProperties       <- what the broker is
    -> SaslHandshake        <- mechanisms
    -> SaslAuthenticate     <- OK, or a challenge, after which there is another one; behind OK: Tune
    -> Tune                 what the client settles on
    -> Open                 <- OK, and where to connect to

PeerProperties and SaslHandshake may be left out, or come again.  A login that fails is answered late and ends the
connection, and so does a virtual host that may not be entered.
"""

from __future__ import annotations

import platform
from functools import partial
from typing import TYPE_CHECKING, Final

from warren.adapters.session.admission import (
    LoginRefused,
    LoopbackOnly,
    UnknownVirtualHost,
    VirtualHostRefused,
    enter,
    let_in,
    log_in,
)
from warren.adapters.session.scram import SCRAM_SHA_256, ScramRefused, ScramSha256
from warren.adapters.stream.codec.commands import (
    CommandVersion,
    ExchangeCommandVersions,
    ExchangeCommandVersionsAnswer,
    Open,
    OpenAnswer,
    PeerProperties,
    PeerPropertiesAnswer,
    SaslAuthenticate,
    SaslAuthenticateAnswer,
    SaslHandshake,
    SaslHandshakeAnswer,
    Tune,
    TuneAnswer,
)
from warren.adapters.stream.codec.errors import FrameError, Refused
from warren.adapters.stream.codec.keys import LATEST, VERSION_1, VERSION_2, Code, Key
from warren.core.clients.rate_limits import TOLD_AS
from warren.core.errors import NotAllowed

if TYPE_CHECKING:
    from warren.adapters.stream.session import StreamSession
    from warren.core.access.accounts import User

PROTOCOL: Final = "stream"
"""As listings show it."""

ATTEMPTS_LABEL: Final = "stream"
"""How RabbitMQ calls the protocol where it counts logins."""

PLAIN: Final = "PLAIN"
EXTERNAL: Final = "EXTERNAL"

_PLAIN_PARTS: Final = 3

FROM_BROKER: Final = frozenset({Key.PUBLISH_CONFIRM, Key.PUBLISH_ERROR, Key.DELIVER, Key.METADATA_UPDATE})
"""What no client sends."""


def peer_properties(session: StreamSession, command: PeerProperties) -> None:
    """Each says what it is."""
    settings = session.settings
    session.agreed.properties = command.properties
    session.send(
        PeerPropertiesAnswer(
            command.correlation_id,
            Code.OK,
            {
                "product": settings.product,
                "version": settings.version,
                "cluster_name": settings.cluster_name,
                "platform": f"Python {platform.python_version()}",
                "copyright": "Copyright the Warren developers",
                "information": "Licensed under Apache-2.0",
                "warren": settings.own_version,
            },
        )
    )


def sasl_handshake(session: StreamSession, command: SaslHandshake) -> None:
    """Which mechanisms there are."""
    session.send(SaslHandshakeAnswer(command.correlation_id, Code.OK, mechanisms(session)))


def mechanisms(session: StreamSession) -> list[str]:
    """By which this client may log in, the most usual first."""
    offered = [PLAIN, SCRAM_SHA_256]
    if session.transport.certificate_name is not None:
        offered.append(EXTERNAL)
    return offered


def sasl_authenticate(session: StreamSession, command: SaslAuthenticate) -> None:
    """A step of the login."""
    if session.state != "securing":
        raise FrameError(Code.UNKNOWN_FRAME, "SaslAuthenticate after the login")
    if command.mechanism not in mechanisms(session):
        raise Refused(Code.NO_MECHANISM, f"the mechanism '{command.mechanism[:40]}' isn't offered")
    session.agreed.mechanism = command.mechanism
    data = command.data or b""
    if command.mechanism == PLAIN:
        name, password = _plain(session, command, data)
        _log_in(session, command, name, password)
    elif command.mechanism == EXTERNAL:
        _log_in(session, command, session.transport.certificate_name or "", None)
    else:
        _scram(session, command, data)


def _plain(session: StreamSession, command: SaslAuthenticate, data: bytes) -> tuple[str, str]:
    parts = data.split(b"\0")
    if len(parts) != _PLAIN_PARTS:
        raise Refused(Code.SASL_ERROR, "a PLAIN response is NUL, user name, NUL, password")
    return parts[1].decode("utf-8", "surrogateescape"), parts[2].decode("utf-8", "surrogateescape")


def _scram(session: StreamSession, command: SaslAuthenticate, data: bytes) -> None:
    scram = session.scram
    if scram is None:
        scram = session.scram = ScramSha256(session.broker.users)
        if not data:
            session.send(SaslAuthenticateAnswer(command.correlation_id, Code.SASL_CHALLENGE, b""))
            return
    try:
        step = scram.answer(data)
    except ScramRefused as error:
        session.login_refused(LoginRefused("", str(error)), command, Code.AUTHENTICATION_FAILED)
        return
    if step.user is None:
        session.send(SaslAuthenticateAnswer(command.correlation_id, Code.SASL_CHALLENGE, step.data))
    else:
        session.attempt(command, partial(_log_in, session, command, step.user, None, proved_here=True, last=step.data))


def _log_in(
    session: StreamSession,
    command: SaslAuthenticate,
    name: str,
    password: str | None,
    *,
    proved_here: bool = False,
    last: bytes | None = None,
) -> None:
    try:
        user = log_in(
            session.broker, session.transport, name, password, session.agreed.mechanism, proved_here=proved_here
        )
    except LoopbackOnly as error:
        session.login_refused(error, command, Code.LOOPBACK_ONLY, name)
        return
    except LoginRefused as error:
        session.login_refused(error, command, Code.AUTHENTICATION_FAILED, name)
        return
    let_in(session.broker, session.transport, ATTEMPTS_LABEL, user.name)
    _logged_in(session, command, user, last)


def _logged_in(session: StreamSession, command: SaslAuthenticate, user: User, last: bytes | None) -> None:
    session.user = user
    session.scram = None
    session.state = "tuning"
    session.send(SaslAuthenticateAnswer(command.correlation_id, Code.OK, last))
    session.send(Tune(session.settings.frame_bytes_max, session.settings.heartbeat_s))


def renew_secret(session: StreamSession, command: SaslAuthenticate) -> None:
    """The client logs in anew, with a newer token for instance; it has to be the same user's."""
    if command.mechanism != session.agreed.mechanism or command.mechanism != PLAIN:
        raise Refused(Code.SASL_ERROR, "a secret is renewed by the mechanism of the login, which has to be PLAIN")
    name, password = _plain(session, command, command.data or b"")
    if name != session.logged_in.user.name:
        raise Refused(Code.AUTHENTICATION_FAILED, f"a secret of '{name}' isn't one of '{session.logged_in.user.name}'")
    session.logged_in.renew(password)
    session.send(SaslAuthenticateAnswer(command.correlation_id, Code.OK))


def tune(session: StreamSession, command: Tune | TuneAnswer) -> None:
    """The client settles frame size and heartbeat; what it doesn't bound is as offered."""
    if session.state != "tuning":
        raise FrameError(Code.UNKNOWN_FRAME, "Tune where it isn't due")
    most = session.settings.frame_bytes_max
    session.agreed.frame_bytes_max = min(command.frame_max, most) if command.frame_max else most
    session.agreed.heartbeat_s = command.heartbeat
    session.state = "opening"


def open_vhost(session: StreamSession, command: Open) -> None:
    """The client enters a virtual host."""
    user = session.user
    if session.state != "opening" or user is None:
        raise FrameError(Code.UNKNOWN_FRAME, "Open before Tune")
    try:
        client = enter(
            session.broker,
            session.transport,
            user,
            command.vhost,
            PROTOCOL,
            dict(session.agreed.properties),
            has_channels=False,
            client_id=session.agreed.client_name,
        )
    except (UnknownVirtualHost, VirtualHostRefused, NotAllowed) as error:
        session.vhost_refused(error, command)
        return
    host, port = advertised(session)
    session.opened(client)
    told = {"advertised_host": host, "advertised_port": str(port)}
    rates = session.broker.rate_limits.told(client)
    if rates:
        told[TOLD_AS] = rates
    session.send(OpenAnswer(command.correlation_id, Code.OK, told))


def advertised(session: StreamSession) -> tuple[str, int]:
    """Host and port that clients are told to connect to."""
    settings = session.settings
    transport = session.transport
    port = settings.advertised_tls_port if transport.tls is not None else settings.advertised_port
    return settings.advertised_host or transport.host, port or transport.port


def exchange_command_versions(session: StreamSession, command: ExchangeCommandVersions) -> None:
    """Which versions of commands each side speaks."""
    for each in command.commands:
        if each.key == Key.DELIVER:
            session.agreed.delivers_v2 = each.least <= VERSION_2 <= each.most
    versions = [CommandVersion(key, VERSION_1, LATEST.get(key, VERSION_1)) for key in Key]
    session.send(ExchangeCommandVersionsAnswer(command.correlation_id, Code.OK, versions))
