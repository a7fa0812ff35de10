"""Requests of the management API on a port for WebSocket: the connection goes to whoever serves listeners `http`.

That is decided by a request's first bytes, `METHOD /api/…`, before they are parsed, so that whoever serves the API gets
them as they came; the path is what that one says.  It answers one request and closes: what comes next may be for the
page or a WebSocket, which are this port's own.  Where nobody serves such listeners, there is nothing at these paths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.streams.desk import desk_of
from warren.adapters.streams.session import StreamSession

if TYPE_CHECKING:
    from warren.adapters.stage import Stage
    from warren.core.broker import Broker

LISTENER: Final = "http"

METHOD_BYTES_MAX: Final = 16
"""Longer words are no method that anybody has."""


def served_path(broker: Broker) -> bytes:
    """The path at and below which somebody takes requests now; empty where nobody does."""
    try:
        return desk_of(broker, LISTENER).path
    except KeyError:
        return b""


def is_for_management(data: bytes, path: bytes) -> bool | None:
    """Whether a request that begins so is at this path or below; None while that can't be said."""
    method, space, target = data.lstrip(b"\r\n").partition(b" ")
    if not space:
        may_be_method = len(method) <= METHOD_BYTES_MAX and (method.isalpha() or not method)
        return None if may_be_method else False
    if len(target) <= len(path):
        return None if path.startswith(target) else False
    return target.startswith(path) and target[len(path) : len(path) + 1] in b"/? "


def hand_over(stage: Stage, data: bytes) -> None:
    """Put a session for streams in the stage's place; data: the request as it came."""
    session = StreamSession(stage.broker, stage.below, shares_port=True)
    for chunk in stage.outbox.take():
        session.outbox.write(chunk)
    stage.below.start(session, session.outbox)
    desk_of(stage.broker, LISTENER).offer(session)
    session.receive(data)
