"""A connection's latest frames, in words, and what went wrong on it."""

from __future__ import annotations

from typing import Final

from warren.adapters.session.tap import WATCH_S_DEFAULT, WATCH_S_MAX, find, look_at
from warren.plugins.management import objects
from warren.plugins.management.access import Needs, check_tags
from warren.plugins.management.endpoint import Call, endpoint
from warren.plugins.management.errors import bad_request
from warren.plugins.management.paging import number

DIRECTIONS: Final = ("received", "sent")


class FrameSeen(objects.Object):
    """direction: `received` from the client or `sent` to it.  at: in milliseconds since 1970.  size: in bytes."""

    at: int
    direction: str
    size: int
    text: str


class TroubleSeen(objects.Object):
    """by_client: the client told it, rather than the broker."""

    at: int
    by_client: bool
    text: str


class ConnectionFrames(objects.Object):
    """watching: what passes from now on is kept, for `seconds_left` unless somebody looks again.  passed: frames since
    that began, of which `frames` are the latest."""

    watching: bool
    seconds_left: int
    passed: int
    frames: list[FrameSeen]
    troubles: list[TroubleSeen]


@endpoint(
    "GET",
    "/connections/{connection}/frames",
    "The latest frames of a connection, in words, and what went wrong on it. Looking begins to keep them: ?watch=60 "
    "seconds, 0 to end that. Another user's connection takes the tag administrator.",
    answer=ConnectionFrames,
)
async def get_connection_frames(call: Call) -> object:
    name = call.path["connection"]
    watch_s = number(call, "watch")
    if watch_s is not None and watch_s > WATCH_S_MAX:
        raise bad_request(f"watch must be a number of seconds from 0 to {WATCH_S_MAX}")
    session = find(call.broker, name)
    client = None if session is None else getattr(session, "client", None)
    if client is None or client.user.name != call.user.name:
        check_tags(call.user, Needs.ADMINISTRATOR)
    found = look_at(call.broker, name, WATCH_S_DEFAULT if watch_s is None else watch_s)
    call.context.changed()
    return {
        "watching": found.watching,
        "seconds_left": found.seconds_left,
        "passed": found.passed,
        "frames": [
            {"at": each.at_ms, "direction": each.direction, "size": each.size, "text": each.text}
            for each in found.frames
        ],
        "troubles": [{"at": each.at_ms, "by_client": each.by_peer, "text": each.text} for each in found.troubles],
    }
