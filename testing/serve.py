"""The broker's process: `python -m warren.testing.serve SETTINGS`, which the plugin starts.

SETTINGS is an object of JSON:

    data_directory    where it keeps its data; the directory that this is in is removed in the end
    listen            addresses, as `warren serve --listen-only` takes them
    config            a configuration file, or null; without one nothing counts that the environment may say

On standard output comes a line once connections are accepted: the addresses by protocol, and whom to log in as.  Then
there is one for each line on standard input: `{"do": CHORE, ...}` is answered by `{"value": ...}` or `{"error": TEXT}`
(chores.py).  It stops in good order when its standard input ends, so it doesn't outlive the tests.  The log goes to
standard error.
"""

from __future__ import annotations

import inspect
import json
import logging
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio

from warren.core.errors import BrokerError, StorageError
from warren.gateway.configuration.config import ConfigError
from warren.gateway.configuration.load import load_config
from warren.gateway.configuration.sources import assignments, command_line_settings
from warren.gateway.process.errors import sole_error
from warren.gateway.process.log import configure_logging
from warren.gateway.process.resources import raise_descriptor_limit
from warren.gateway.process.settings import FirstStartSettings, ProcessSettings
from warren.gateway.server import open_server
from warren.testing.chores import Chores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warren.gateway.configuration.config import Config

LINES_AT_ONCE_BYTES: Final = 65_536

QUICK: Final = ("refused_login_delay_s=0.1",)
"""What is otherwise than by default: a test of a wrong password needn't wait."""

NOT_FOR_TESTS: Final = ("WARREN_", "RABBITMQ_")
"""Variables that begin so are for the broker of whoever runs the tests."""

_log = logging.getLogger("warren.testing")


def main() -> None:
    """Run until standard input ends."""
    settings = json.loads(sys.argv[1])
    # Whatever else is written to standard output must not come between the answers.
    answers = os.dup(1)
    os.dup2(2, 1)
    try:
        config = _configuration(settings)
        configure_logging(config.section(ProcessSettings).log_level)
        raise_descriptor_limit()
        trio.run(_serve, config, answers)
        # Whoever started it may have been killed, and clears nothing away.
        shutil.rmtree(Path(settings["data_directory"]).parent, ignore_errors=True)
    except BaseExceptionGroup as group:
        _give_up(sole_error(group))
    except (ConfigError, StorageError, OSError) as error:
        _give_up(error)


def _give_up(error: BaseException) -> None:
    if not isinstance(error, ConfigError | StorageError | OSError):
        raise error
    sys.exit(f"Error: {error}")


def _configuration(settings: dict[str, Any]) -> Config:
    named = settings["config"]
    data_directory = Path(settings["data_directory"])
    given = command_line_settings(
        [("--data-dir", "data_directory", str(data_directory)), ("--listen-only", "listen", settings["listen"])]
    )
    quick = [] if named else assignments(QUICK)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(NOT_FOR_TESTS)}
    file = None if named is None else Path(named)
    return load_config([*quick, *given], config_file=file, environment=environment, directory=data_directory)


async def _serve(config: Config, answers: int) -> None:
    first = config.section(FirstStartSettings)
    async with (
        open_server(config) as server,
        trio.lowlevel.FdStream(os.dup(0)) as requests,
        trio.lowlevel.FdStream(answers) as replies,
    ):
        chores = Chores(server, first.default_user)
        ready = {"listening": server.listening, "user": first.default_user, "password": first.default_password}
        await replies.send_all(_line(ready))
        pending = bytearray()
        while data := await requests.receive_some(LINES_AT_ONCE_BYTES):
            pending += data
            *lines, rest = bytes(pending).split(b"\n")
            pending[:] = rest
            for line in lines:
                await replies.send_all(_line(await _answer(chores, line)))
                server.changed()


async def _answer(chores: Chores, line: bytes) -> dict[str, object]:
    request = json.loads(line)
    try:
        found = getattr(chores, request.pop("do"))(**request)
        return {"value": await found if inspect.isawaitable(found) else found}
    except (BrokerError, StorageError, ValueError, KeyError) as error:
        return {"error": error.text if isinstance(error, BrokerError) else str(error)}
    except Exception:
        _log.exception("a request of the tests failed: %s", request)
        return {"error": "the broker's process could not do that; its log says why"}


def _line(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, default=_plain).encode("ascii") + b"\n"


def _plain(value: object) -> object:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    return str(value)


if __name__ == "__main__":
    main()
