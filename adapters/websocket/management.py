"""Requests of the management API on a port for WebSocket: the connection goes to whoever serves listeners `http`.

That is decided by a request's first bytes, `METHOD /api/…`, before they are parsed, so that whoever serves the API gets
them as they came.  It answers one request and closes: what comes next may be for the page or a WebSocket, which are
this port's own.  Where nobody serves such listeners, there is nothing at these paths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.streams.desk import desk_of
from warren.adapters.streams.session import StreamSession

if TYPE_CHECKING:
    from warren.adapters.stage import Stage
    from warren.core.broker import Broker

LISTENER: Final = "http"

PATH: Final = b"/api"

METHOD_BYTES_MAX: Final = 16
"""Longer words are no method that anybody has."""


def is_served(broker: Broker) -> bool:
    """Whether somebody takes such connections now."""
    try:
        return desk_of(broker, LISTENER).is_served
    except KeyError:
        return False


def is_for_management(data: bytes) -> bool | None:
    """Whether a request that begins so is below `PATH`; None while that can't be said."""
    method, space, target = data.lstrip(b"\r\n").partition(b" ")
    if not space:
        may_be_method = len(method) <= METHOD_BYTES_MAX and (method.isalpha() or not method)
        return None if may_be_method else False
    if len(target) <= len(PATH):
        return None if PATH.startswith(target) else False
    return target.startswith(PATH) and target[len(PATH) : len(PATH) + 1] in b"/? "


def hand_over(stage: Stage, data: bytes) -> None:
    """Put a session for streams in the stage's place; data: the request as it came."""
    session = StreamSession(stage.broker, stage.below, shares_port=True)
    for chunk in stage.outbox.take():
        session.outbox.write(chunk)
    stage.below.start(session, session.outbox)
    desk_of(stage.broker, LISTENER).offer(session)
    session.receive(data)
