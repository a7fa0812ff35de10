"""begin: a session on a channel (part 2, 2.5.1 and 2.7.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.amqp10.amqp_session import AmqpSession
from warren.adapters.amqp10.codec.errors import FRAMING_ERROR, NOT_ALLOWED, Level, PeerMistake
from warren.adapters.amqp10.codec.performatives import End
from warren.adapters.amqp10.conditions import mistake_of, told
from warren.core.errors import BrokerError
from warren.core.limit_hits import limited

if TYPE_CHECKING:
    from warren.adapters.amqp10.codec.performatives import Begin
    from warren.adapters.amqp10.connection import Connection


BEGIN_COMMANDS: Final = 5
"""What a session takes, from its beginning to its end, in commands of a turn's ration (adapters.session.ration)."""


def begin_session(connection: Connection, channel: int, body: Begin) -> None:
    """Answer the client's begin; PeerMistake for a channel that it can't have."""
    if channel > connection.agreed.channel_max:
        raise limited(
            PeerMistake(
                FRAMING_ERROR,
                f"channel {channel}; the highest is {connection.agreed.channel_max}",
                clause="2.7.1",
            ),
            "amqp10_sessions_max",
        )
    if channel in connection.sessions or channel in connection.ending:
        raise PeerMistake(NOT_ALLOWED, f"channel {channel} has a session already", clause="2.5.1")
    if body.remote_channel is not None:
        raise PeerMistake(NOT_ALLOWED, "a begin that answers one that was never sent", clause="2.5.1")
    connection.ration.left -= BEGIN_COMMANDS
    session = AmqpSession(connection, channel, body)
    connection.send(channel, session.answer())
    try:
        connection.logged_in.open_channel()
    except BrokerError as error:
        mistake = mistake_of(error, Level.SESSION)
        connection.broker.limit_hits.count_error(mistake)
        connection.send(channel, End(told(mistake)))
        connection.ending.add(channel)
        return
    session.begin()
    connection.sessions[channel] = session
