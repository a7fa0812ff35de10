"""Words of rabbitmq-diagnostics that check something: scripts and containers look at their exit codes."""

from __future__ import annotations

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, done, value
from warren.gateway.control.word import word


@word("", "succeed if the broker is running", while_stopped=True)
def check_running(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does; 69 while the application is stopped."""
    if not control.server.running:
        raise RefusedError("the broker application is stopped; start it with: warren ctl start_app", codes.UNAVAILABLE)
    return done("The broker is fully booted and running")


@word("", "whether the broker is running", while_stopped=True)
def is_running(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does."""
    running = control.server.running
    return value(running, "The broker is running" if running else "The broker application is stopped")


@word("", "succeed if no alarm is raised")
def check_alarms(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does; 70 while there is one."""
    return _no_alarms(control)


@word("", "succeed if no alarm is raised, of this broker, which is the only one")
def check_local_alarms(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does; 70 while there is one."""
    return _no_alarms(control)


@word("", "the version of the broker", while_stopped=True)
def server_version(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does."""
    from warren.gateway.version import WARREN_VERSION

    return value(WARREN_VERSION, WARREN_VERSION)


def _no_alarms(control: Control) -> Answer:
    raised = control.broker.alarms.raised()
    if raised:
        raise RefusedError(f"alarms are raised: {', '.join(raised)}", codes.SOFTWARE)
    return done("There are no alarms")
