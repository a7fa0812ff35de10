"""What the words of `warren ctl` work on: the broker behind the control socket, a request, and its answer.

Nothing of the broker is imported here, so that the client may import the declarations of words (see
`warren.gateway.control.word`).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from warren.core.frozen import frozen, slotted
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.word import Remote

if TYPE_CHECKING:
    from datetime import datetime

    from warren.core.broker import Broker
    from warren.gateway.configuration.config import Config
    from warren.gateway.control.word import Word
    from warren.gateway.control.words.tail import Followed
    from warren.gateway.facts import Resources
    from warren.gateway.network.accepting import Accepting
    from warren.gateway.process.limits import ResourceLimits

Answer = dict[str, object]
"""See warren.gateway.control.protocol."""

Row = Mapping[str, object]

Permitted = Callable[[Remote, str], Awaitable[None]]
"""Of who asks over HTTP: raises unless this is one of these; the virtual host is empty where a word is about none."""

CarryOut = Callable[[bytes, Permitted], Awaitable[Iterator[bytes]]]
"""See warren.gateway.control.remote."""


class ControlledServer(Protocol):
    """The part of gateway.server.Server that commands use."""

    @property
    def broker(self) -> Broker:
        """Only while `running`."""

    @property
    def running(self) -> bool:
        """False between stop_app and start_app."""

    @property
    def limits(self) -> ResourceLimits:
        """What memory and disk may come to.  Only while `running`."""

    @property
    def listening(self) -> Mapping[str, Sequence[tuple[str, int]]]:
        """The addresses that connections are accepted on, by the listener's name."""

    @property
    def accepting(self) -> Accepting:
        """The listening sockets.  Only while `running`."""

    @property
    def certificates(self) -> Mapping[str, datetime]:
        """Until when each certificate is valid, by its file."""

    @property
    def now_ms(self) -> int:
        """The broker's time, as it is now.  Only while `running`."""

    def resources(self) -> Resources:
        """What of what may run out is used.  Only while `running`."""

    async def stop_app(self) -> None:
        """Close listeners and connections."""

    async def start_app(self) -> None:
        """Open them again."""

    async def set_plugins(self, names: Sequence[str]) -> None:
        """Enable these plugins and no others.  Raises StorageError, PluginUnusableError.  Only while `running`."""

    async def reset(self) -> None:
        """Wipe everything and start with defaults; only while stopped."""

    def request_stop(self) -> None:
        """Let the process end in order; returns at once."""

    def changed(self) -> None:
        """Something was changed from outside a client's batch: end the batch (dispatch, send, commit)."""

    async def kept(self) -> None:
        """Return when all that was changed until now is there after a power failure."""


class RefusedError(Exception):
    """A command that can't be carried out; the text says why, `exit_code` is the client's."""

    def __init__(self, text: str, exit_code: int = codes.SOFTWARE) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def no_words() -> Sequence[Word]:
    """The words of a broker without plugins."""
    return ()


@slotted
class Control:
    """The broker that commands are for.

    started_at_s: by the clock of `time.monotonic`, in seconds.  plugin_words: gives the words that the plugins bring
    which run at the moment.  tails: that clients follow, by their tokens.  stop_requested: set by the word `stop`;
    acted on once it has been answered.
    """

    server: ControlledServer
    config: Config
    started_at_s: float
    plugin_words: Callable[[], Sequence[Word]] = field(default=no_words)
    stop_requested: bool = False
    tails: dict[str, Followed] = field(default_factory=dict)

    @property
    def broker(self) -> Broker:
        """The running broker."""
        return self.server.broker

    @property
    def product_version(self) -> str:
        """The version of RabbitMQ that clients are told, and scripts compare with."""
        from warren.adapters.session.keys import PRODUCT_VERSION

        return str(self.config.value(PRODUCT_VERSION))


@frozen
class Request:
    """A checked command: `arguments` are as many as the word takes, `options` only those that it takes.

    content: what came behind the request, for words that read files.
    """

    arguments: tuple[str, ...]
    options: Mapping[str, object]
    content: bytes | None = None

    def files(self) -> list[str]:
        """The texts of the files of a word that reads several; bytes that aren't UTF-8 are lone surrogates.

        Raises RefusedError when they are missing.
        """
        try:
            found = json.loads(self.content or b"")
        except ValueError:
            found = None
        if not isinstance(found, list) or not found or not all(isinstance(each, str) for each in found):
            raise RefusedError("the files are missing from the request", codes.USAGE)
        return found

    @property
    def vhost(self) -> str:
        """The virtual host named by -p, or the default one."""
        return str(self.options.get("vhost") or "/")


def table(columns: Sequence[str], rows: Sequence[Row]) -> Answer:
    """An answer of rows, cut down to these columns; what a row lacks is null."""
    cut = [{name: row.get(name) for name in columns} for row in rows]
    return {"ok": True, "columns": list(columns), "rows": cut}


def done(text: str = "") -> Answer:
    """The answer of a command that did something."""
    return {"ok": True, "text": text}


def value(found: object, text: str) -> Answer:
    """The answer of a command that found something out: for programs, and as text for people."""
    return {"ok": True, "value": found, "text": text}


def verdict(found: object, text: str, exit_code: int) -> Answer:
    """As `value`, where the exit code of the client tells what was found: the command itself succeeded."""
    return {**value(found, text), "exit_code": exit_code}


def failure(text: str, exit_code: int) -> Answer:
    """The answer of a command that did not succeed."""
    return {"ok": False, "error": text, "exit_code": exit_code}
