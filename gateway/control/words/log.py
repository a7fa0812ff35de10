"""Words on the log, which goes to standard error: whoever started the broker has it."""

from __future__ import annotations

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, done, value
from warren.gateway.control.word import Remote, word

WHERE = "standard error"


@word(
    "LEVEL",
    "log from this level on, until the broker's process ends: debug, info, warning, error, critical or none",
    'Setting log level to "{0}" ...',
    while_stopped=True,
    example="debug",
)
def set_log_level(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.gateway.process.log import set_level
    from warren.gateway.process.settings import LOG_LEVELS

    (level,) = request.arguments
    if level not in LOG_LEVELS:
        raise RefusedError(f"'{level}' is no level: {', '.join(LOG_LEVELS)}", codes.DATA)
    set_level(level)
    return done()


@word("", "where the log goes", while_stopped=True, remote=Remote.MONITORING)
def log_location(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does."""
    from warren.gateway.facts import node_name

    return value({"node_name": node_name(), "paths": [f"<{WHERE}>"], "result": "ok"}, f"<{WHERE}>")
