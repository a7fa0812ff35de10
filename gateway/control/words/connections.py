"""Words on connections."""

from __future__ import annotations

from typing import Final

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, done, value
from warren.gateway.control.word import VHOST, Option, word

DEFAULT_REASON: Final = "CONNECTION_FORCED - closed by an administrator (warren ctl)"
"""What a client reads when no reason was given."""


_SECONDS_DIGITS_MAX: Final = 6
"""More digits are no time, and int() needn't see them."""


@word(
    "PID_OR_NAME [REASON]...",
    "close one connection (320 CONNECTION_FORCED)",
    "Closing connection {0} ...",
    example="'127.0.0.1:40123 -> 127.0.0.1:5672' maintenance",
)
async def close_connection(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does, on whatever node of a cluster it is."""
    from warren.core.administration import operations
    from warren.core.errors import NotFound

    wanted, *words = request.arguments
    reason = " ".join(words) or DEFAULT_REASON
    try:
        operations.connections.close(control.broker, wanted, reason)
    except NotFound as error:
        cluster = control.broker.cluster
        if cluster is not None and await cluster.close_elsewhere(reason, name=wanted):
            return done()
        raise RefusedError(f"{error.text}; warren ctl list_connections pid name shows them", codes.DATA) from None
    return done()


@word(
    "[REASON]...",
    "close every connection, or those to a virtual host",
    "Closing connections ...",
    options=(VHOST,),
    example="-p orders maintenance",
)
async def close_all_connections(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does, on all nodes of a cluster."""
    from warren.core.administration import operations

    vhost = request.vhost if request.options.get("vhost") else None
    reason = " ".join(request.arguments) or DEFAULT_REASON
    count = operations.connections.close_all(control.broker, reason, vhost=vhost)
    if control.broker.cluster is not None:
        count += await control.broker.cluster.close_elsewhere(reason, vhost=vhost or "")
    return done(f"Closed {count} connections")


@word(
    "USERNAME [REASON]...",
    "close every connection of a user",
    "Closing connections of user {0} ...",
    example="ada maintenance",
)
async def close_all_user_connections(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does, on all nodes of a cluster."""
    from warren.core.administration import operations

    user, *words = request.arguments
    reason = " ".join(words) or DEFAULT_REASON
    count = operations.connections.close_all(control.broker, reason, user=user)
    if control.broker.cluster is not None:
        count += await control.broker.cluster.close_elsewhere(reason, user=user)
    return done(f"Closed {count} connections")


@word(
    "CONNECTION",
    "the latest frames of a connection in words, and what went wrong; the first look begins to keep them for a while",
    "Frames of connection '{0}' ...",
    options=(Option("watch", "SECONDS"),),
    example="'127.0.0.1:40123 -> 127.0.0.1:5672' --watch 10",
)
def connection_frames(control: Control, request: Request) -> Answer:
    """Warren's own."""
    from warren.adapters.session.tap import WATCH_S_DEFAULT, look_at

    given = str(request.options.get("watch", WATCH_S_DEFAULT))
    if not (given.isascii() and given.isdigit() and len(given) <= _SECONDS_DIGITS_MAX):
        raise RefusedError(f"--watch takes a number of seconds, not '{given}'", codes.USAGE)
    found = look_at(control.broker, request.arguments[0], int(given))
    frames = [each._asdict() for each in found.frames]
    troubles = [each._asdict() for each in found.troubles]
    lines = [f"{_clock(each.at_ms)} {each.direction:<8} {each.text}" for each in found.frames]
    for each in found.troubles:
        lines.append(f"{_clock(each.at_ms)} trouble  {each.text}")
    if found.watching:
        lines.append(f"{found.passed} frames have passed; they are kept for another {found.seconds_left} s")
    facts = {"watching": found.watching, "passed": found.passed, "frames": frames, "troubles": troubles}
    return value(facts, "\n".join(lines))


def _clock(at_ms: int) -> str:
    """The time of day in UTC."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
