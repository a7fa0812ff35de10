"""What the broker does for each word of `warren ctl`: from a request as it came to an answer
(`ctl_protocol`).

Commands run on the broker's thread, between two batches of clients, so each sees and leaves a consistent
broker; `ControlledServer.changed` then ends the batch.  Errors of core become answers with their text.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import cast

from warren.core.errors import BrokerError, StorageError
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import (
    Answer,
    AsyncHandler,
    Control,
    Handler,
    RefusedError,
    Request,
    done,
    failure,
)
from warren.gateway.control.word import Word
from warren.gateway.control.words import browse as ctl_browse
from warren.gateway.control.words import definitions as ctl_definitions
from warren.gateway.control.words import delayed as ctl_delayed
from warren.gateway.control.words import limits as ctl_limits
from warren.gateway.control.words import listings as ctl_listings
from warren.gateway.control.words import objects as ctl_objects
from warren.gateway.control.words import parameters as ctl_parameters
from warren.gateway.control.words import policies as ctl_policies
from warren.gateway.control.words import status as ctl_status
from warren.gateway.control.words import users as ctl_users
from warren.gateway.control.words import vhosts as ctl_vhosts
from warren.gateway.control.words.table import WORDS, Syntax, find_word

_log = logging.getLogger("warren.control")


async def run_command(control: Control, request: dict[str, object], content: bytes | None = None) -> Answer:
    """Carry out a request and answer it; never raises for what the request holds, or what becomes of it.

    content: what came behind the request, for words that read a file.
    """
    try:
        syntax, checked = _check(control, request, content)
        return await _run(control, syntax, checked)
    except RefusedError as error:
        return failure(str(error), error.exit_code)
    except BrokerError as error:
        return failure(error.text, codes.SOFTWARE)
    except StorageError as error:
        return failure(str(error), codes.SOFTWARE)
    except Exception as error:
        _log.exception("the control command %r failed", request.get("command"))
        return failure(f"a bug in the broker ({error!r}); its log has the details", codes.SOFTWARE)


def _check(control: Control, request: dict[str, object], content: bytes | None) -> tuple[Syntax, Request]:
    """The word and its checked request; the client has checked too, but anyone may have written the line."""
    arguments, options = request.get("arguments", []), request.get("options", {})
    if not isinstance(arguments, list) or not all(isinstance(each, str) for each in arguments):
        raise RefusedError("arguments must be a list of strings", codes.USAGE)
    if not isinstance(options, dict):
        raise RefusedError("options must be an object", codes.USAGE)
    try:
        word = _find(control, str(request.get("command")))
        word.check(arguments, list(options))
    except ValueError as error:
        raise RefusedError(str(error), codes.USAGE) from None
    if word.secret is not None and len(arguments) <= word.secret:
        raise RefusedError(f"the password is missing; {word.line}", codes.USAGE)
    return word, Request(tuple(arguments), cast("dict[str, object]", options), content)


def _find(control: Control, name: str) -> Syntax:
    """The word of this name, built in or a plugin's; ValueError suggests near ones."""
    if name not in WORDS:
        for each in control.plugin_words():
            if each.name == name:
                return each
    return find_word(name)


async def _run(control: Control, syntax: Syntax, request: Request) -> Answer:
    command = syntax.name
    whole_broker = _APPLICATION.get(command)
    if whole_broker is not None:
        return await whole_broker(control, request)
    facts = ctl_status.HANDLERS.get(command)
    if facts is not None:
        return facts(control, request)
    if not control.server.running:
        raise RefusedError("the broker application is stopped; start it with: warren ctl start_app", codes.UNAVAILABLE)
    answer: Answer | Awaitable[Answer]
    if isinstance(syntax, Word):
        answer = syntax.handler(control, request)
        answer = answer if isinstance(answer, dict) else await answer
    elif command in ctl_browse.HANDLERS:
        answer = await ctl_browse.HANDLERS[command](control, request)
    else:
        answer = _HANDLERS[command](control, request)
    control.server.changed()
    return answer


async def _stop_app(control: Control, request: Request) -> Answer:
    await control.server.stop_app()
    return done()


async def _start_app(control: Control, request: Request) -> Answer:
    await control.server.start_app()
    return done()


async def _reset(control: Control, request: Request) -> Answer:
    if control.server.running:
        raise RefusedError("the broker application is running; stop it first with: warren ctl stop_app")
    await control.server.reset()
    return done()


async def _stop(control: Control, request: Request) -> Answer:
    control.stop_requested = True
    return done()


_APPLICATION: dict[str, AsyncHandler] = {
    "stop_app": _stop_app,
    "start_app": _start_app,
    "reset": _reset,
    "stop": _stop,
}
"""Words on the broker application as a whole; they work whether it runs or not."""

_HANDLERS: dict[str, Handler] = {
    **ctl_listings.HANDLERS,
    **ctl_users.HANDLERS,
    **ctl_objects.HANDLERS,
    **ctl_policies.HANDLERS,
    **ctl_parameters.HANDLERS,
    **ctl_limits.HANDLERS,
    **ctl_vhosts.HANDLERS,
    **ctl_definitions.HANDLERS,
    **ctl_delayed.HANDLERS,
}
"""Words that need it to run."""
