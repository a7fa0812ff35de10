"""A refused login is answered late, so that passwords can't be tried quickly (spec C.2: after three seconds).

Nobody waits for that: the connection isn't read any more, and a deadline answers and closes it.  At most `WAITING_MAX`
connections of a broker are kept so; past that, the one that has waited longest is answered early.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.codec import reason_codes

if TYPE_CHECKING:
    from warren.adapters.mqtt.connection import MqttConnection

WAITING_MAX: Final = 1000
"""Some megabytes of memory at most, beside the sockets; no honest fleet fails to log in so often at a time."""

LATE: Final = frozenset({reason_codes.BAD_USER_NAME_OR_PASSWORD, reason_codes.NOT_AUTHORIZED})
"""The reason codes that tell who tries a password something."""


def answer_late(connection: MqttConnection, reason_code: int, text: str) -> None:
    """Say so in CONNACK and close, after the time that is configured."""
    broker = connection.broker
    connection.closed = True
    connection.transport.pause()
    waiting = broker.mqtt.refused_logins
    waiting[connection] = lambda: connection.answer_refusal(reason_code, text)
    if connection.keep_alive is not None:
        connection.keep_alive.cancel()
    connection.keep_alive = broker.deadlines.schedule(
        broker.now_ms + connection.settings.refused_login_delay_ms, lambda now_ms: answer_now(connection)
    )
    if len(waiting) > WAITING_MAX:
        next(iter(waiting.values()))()


def answer_now(connection: MqttConnection) -> None:
    """Don't wait any longer, if the connection waits."""
    answer = connection.broker.mqtt.refused_logins.get(connection)
    if answer is not None:
        answer()


def forget(connection: MqttConnection) -> None:
    """The connection has got its answer, or is gone."""
    connection.broker.mqtt.refused_logins.pop(connection, None)
