"""What each frame does, by its command (STOMP 1.2, "Client Frames").

The receipts of SEND, COMMIT and DISCONNECT have a time of their own; all others are sent when the frame is done.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from warren.adapters.stomp.codec import frames
from warren.adapters.stomp.codec.errors import StompError, quoted
from warren.adapters.stomp.connecting import connect, connect_implicitly
from warren.adapters.stomp.sending import send
from warren.adapters.stomp.settling import settle_now, settlement_of
from warren.adapters.stomp.subscribing import subscribe, unsubscribe
from warren.adapters.stomp.transaction import abort, add, begin, commit

if TYPE_CHECKING:
    from warren.adapters.stomp.codec.frames import Frame
    from warren.adapters.stomp.session import StompSession

Handler = Callable[["StompSession", "Frame"], None]


def handle(session: StompSession, frame: Frame) -> None:
    """Do what `frame` asks; StompError or a BrokerError says why not."""
    command = frame.command
    if command in frames.ANSWERED_AT_ONCE:
        session.explain(frame)
        return
    if command == frames.QUIT:
        session.quit(frame)
        return
    if session.client is None and not _log_in(session, frame):
        return
    handler = _HANDLERS.get(command)
    if handler is None:
        raise StompError(
            "Bad command",
            f'Could not interpret command "{quoted(command)}"',
            f"there are {', '.join(frames.CLIENT_COMMANDS)}",
        )
    handler(session, frame)
    if command not in _OWN_RECEIPTS and not (command in _SETTLING and "transaction" in frame.headers):
        session.settling.then(partial(session.receipts.send, frame.receipt))


def _log_in(session: StompSession, frame: Frame) -> bool:
    """The first frame; True when it is one that still has to be done."""
    if frame.command in (frames.CONNECT, frames.STOMP):
        connect(session, frame)
        return False
    if not session.settings.implicit_connect:
        raise StompError("Illegal command", "You must log in using CONNECT first")
    connect_implicitly(session)
    return True


def _send(session: StompSession, frame: Frame) -> None:
    if "transaction" in frame.headers:
        add(session, frame)
    else:
        send(session, frame)


def _settle(session: StompSession, frame: Frame) -> None:
    if "transaction" in frame.headers:
        add(session, frame)
    else:
        settle_now(session, settlement_of(session, frame, positive=frame.command == frames.ACK))


def _connect_again(session: StompSession, frame: Frame) -> None:
    raise StompError(
        "Already connected", "a session is logged in once; open another connection for another one", fatal=True
    )


def _disconnect(session: StompSession, frame: Frame) -> None:
    session.disconnect(frame)


_HANDLERS: Final[dict[str, Handler]] = {
    frames.SEND: _send,
    frames.SUBSCRIBE: subscribe,
    frames.UNSUBSCRIBE: unsubscribe,
    frames.ACK: _settle,
    frames.NACK: _settle,
    frames.BEGIN: begin,
    frames.COMMIT: commit,
    frames.ABORT: abort,
    frames.CONNECT: _connect_again,
    frames.STOMP: _connect_again,
    frames.DISCONNECT: _disconnect,
}

_SETTLING: Final = (frames.ACK, frames.NACK)
"""Within a transaction their receipts wait for it, as that of SEND."""

_OWN_RECEIPTS: Final = (frames.SEND, frames.COMMIT, frames.DISCONNECT)
