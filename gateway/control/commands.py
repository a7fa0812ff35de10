"""What the broker does for a request on the control socket: from the request as it came to an answer
(`warren.gateway.control.protocol`).

Words run on the broker's thread, between two turns of the hub, so each sees and leaves a consistent broker;
`ControlledServer.changed` then ends the turn.  Errors of core become answers with their text.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Final, cast

# Words import what they need when they run; by then the files on the disk may be the next version's, so all of it is
# imported with this module (tests/gateway/control/test_late_imports.py sees to it).
from warren.adapters.direct import session as session
from warren.adapters.mqtt.sessions import examining as examining
from warren.adapters.mqtt.sessions import queue_names as queue_names
from warren.adapters.mqtt.sessions.operations import retained as retained
from warren.adapters.mqtt.sessions.operations import sessions as sessions
from warren.adapters.mqtt.sessions.operations import topic_names as topic_names
from warren.adapters.session import tap as tap
from warren.core import message_sizes as message_sizes
from warren.core.access import passwords as passwords
from warren.core.administration import operations as operations
from warren.core.administration import stream_tails as stream_tails
from warren.core.administration import tails as tails
from warren.core.administration.diagnosing import surroundings as surroundings
from warren.core.administration.listing import built_in as built_in
from warren.core.administration.listing import selecting as selecting
from warren.core.administration.listing.kinds import UnknownColumn
from warren.core.errors import BrokerError, ClusterAway, NoSuchParameter, NoSuchUser, NotFound, StorageError
from warren.gateway import facts as facts
from warren.gateway import listening as listening
from warren.gateway import memory_breakdown as memory_breakdown
from warren.gateway import turns as turns
from warren.gateway.configuration import load as load
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, failure
from warren.gateway.control.word import Word
from warren.gateway.control.words.built_in import find_word
from warren.gateway.mosquitto import document as document
from warren.gateway.mosquitto import errors as errors
from warren.gateway.mosquitto import expressions as expressions
from warren.gateway.network import answered as answered
from warren.gateway.network import browsing as browsing
from warren.gateway.process import log as log
from warren.gateway.process import resources as resources
from warren.gateway.store_tools import backing_up as backing_up
from warren.gateway.tls import ciphers as ciphers

_log = logging.getLogger("warren.control")

EXIT_CODES: Final = (
    (UnknownColumn, codes.USAGE),
    (NoSuchUser, codes.NO_USER),
    (NoSuchParameter, codes.SOFTWARE),
    (NotFound, codes.DATA),
    (ClusterAway, codes.UNAVAILABLE),
    (BrokerError, codes.SOFTWARE),
)
"""Of errors of core; the first that fits counts.  rabbitmqctl says so (spec F.8), also that a missing parameter is
another matter than a missing queue."""


async def run_command(control: Control, request: dict[str, object], content: bytes | None = None) -> Answer:
    """Carry out a request and answer it; never raises for what the request holds, or what becomes of it.

    content: what came behind the request, for words that read a file.
    """
    try:
        word, checked = check(control, request, content)
    except RefusedError as error:
        return failure(str(error), error.exit_code)
    return await carry_out(control, word, checked)


async def carry_out(control: Control, word: Word, request: Request) -> Answer:
    """Carry out a request that is checked, and answer it; never raises for what becomes of it."""
    try:
        return await _run(control, word, request)
    except RefusedError as error:
        return failure(str(error), error.exit_code)
    except BrokerError as error:
        if control.server.running:
            control.broker.limit_hits.count_error(error)
        return failure(error.text, next(code for kind, code in EXIT_CODES if isinstance(error, kind)))
    except StorageError as error:
        return failure(str(error), codes.SOFTWARE)
    except Exception as error:
        _log.exception("the control command %r failed", word.name)
        return failure(f"a bug in the broker ({error!r}); its log has the details", codes.SOFTWARE)


def check(control: Control, request: dict[str, object], content: bytes | None) -> tuple[Word, Request]:
    """The word and its checked request; the client has checked too, but anyone may have written the line.

    Raises RefusedError.
    """
    arguments, options = request.get("arguments", []), request.get("options", {})
    if not isinstance(arguments, list) or not all(isinstance(each, str) for each in arguments):
        raise RefusedError("arguments must be a list of strings", codes.USAGE)
    if not isinstance(options, dict):
        raise RefusedError("options must be an object", codes.USAGE)
    try:
        word = find_word(str(request.get("command")), control.plugin_words())
        word.check(arguments, list(options))
    except ValueError as error:
        raise RefusedError(str(error), codes.USAGE) from None
    if word.secret is not None and len(arguments) <= word.secret:
        raise RefusedError(f"the password is missing; {word.line}", codes.USAGE)
    return word, Request(tuple(arguments), cast("dict[str, object]", options), content)


async def _handled(control: Control, word: Word, request: Request) -> Answer:
    """What the word answers; called again where a cluster, or somebody else who knows users, has to be asked first."""
    answer = word.handler(control, request)
    return answer if isinstance(answer, dict) else await answer


async def _run(control: Control, word: Word, request: Request) -> Answer:
    if not word.while_stopped and not control.server.running:
        raise RefusedError("the broker application is stopped; start it with: warren ctl start_app", codes.UNAVAILABLE)
    answer = await answered.when_known(partial(_handled, control, word, request))
    if not word.while_stopped:
        control.server.changed()
        await control.server.kept()
    return answer
