"""SIGHUP: what files say is read again, and counts at once as far as that is possible.

    certificates                             read again, whether or not they have changed
    log level, log format                    count at once
    limits of the whole broker               count for what comes; what is over them stays
    limits of memory and disk                count at once, unless they are the same: then what a word has set stays
    settings of protocols and TLS            count for connections to come
    some settings of core                    count at once; see `_settle_core`
    definitions of load_definitions          imported, with the users in them, if they have changed

Everything else counts when the process is started again, and the log says what that is.  A configuration that can't be
used is one line in the log, and everything stays as it was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import trio

from warren.core.clients.limits import BrokerLimits
from warren.core.configuration.key import keys_of
from warren.core.errors import StorageError
from warren.core.settings import BrokerSettings
from warren.gateway.configuration.config import Config, ConfigError
from warren.gateway.process.definitions_file import load_definitions
from warren.gateway.process.log import configure_logging
from warren.gateway.process.settings import FirstStartSettings, ProcessSettings, ResourceSettings

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.gateway.process.runner import BrokerRun

_log = logging.getLogger("warren.broker")

WHY: Final = "on SIGHUP"

LOG_KEYS: Final = frozenset({"log_level", "log_format"})

CORE_KEYS: Final = frozenset(
    {
        "loopback_users",
        "refused_login_delay_s",
        "refused_logins_max",
        "failed_logins_per_minute_max",
        "unauthenticated_connections_max",
    }
)
"""Of BrokerSettings, those that the broker looks at each time that something is done."""


async def reload(run: BrokerRun | None, before: Config, read: Callable[[], Config] | None) -> Config:
    """Read files again and let them count; the configuration that is in effect afterwards.

    run: of the broker; None while it is stopped.  read: reads the configuration; None where a program has given it.
    """
    has_tls = run is not None and run.reload_certificates(WHY)
    after = before
    if read is not None:
        try:
            after = await trio.to_thread.run_sync(read)
        except (ConfigError, OSError) as error:
            _log.error("the configuration can't be used, everything stays as it was: %s", error)
            return before
    changed = {name for name, value in after.values.items() if before.values.get(name) != value}
    taken = _take(run, before, after, changed)
    imported = run is not None and _import_again(run, before)
    if taken:
        _log.info("%s: in effect now: %s", WHY, ", ".join(sorted(taken)))
    if changed - taken:
        _log.warning("%s: in effect when the broker is started again: %s", WHY, ", ".join(sorted(changed - taken)))
    if not (changed or has_tls or imported):
        _log.info("there is nothing to load again: no listener uses TLS, and the configuration is the same")
    return before.replace(**{name: after.values[name] for name in taken})


def _take(run: BrokerRun | None, before: Config, after: Config, changed: set[str]) -> set[str]:
    """Let count what can; the names of these keys."""
    taken = changed & LOG_KEYS
    if taken:
        process = after.section(ProcessSettings)
        configure_logging(process.log_level, log_format=process.log_format)
    if run is None:
        # A start of the application makes everything but what belongs to the process anew.
        return changed - _names(ProcessSettings) | taken
    taken |= _settle_core(run.broker, after, changed)
    if limits := changed & _names(ResourceSettings):
        settings = after.section(ResourceSettings)
        run.limits.change(settings.memory_high_watermark, settings.disk_free_limit_bytes)
        taken |= limits
    return taken | _settle_connections(run, after, changed)


def _settle_core(broker: Broker, after: Config, changed: set[str]) -> set[str]:
    settings = after.section(BrokerSettings)
    if limits := changed & _names(BrokerLimits):
        broker.limits = after.section(BrokerLimits)
    for name in changed & CORE_KEYS:
        match name:
            case "loopback_users":
                broker.users.set_loopback_users(settings.loopback_users)
            case "refused_login_delay_s":
                broker.refused_logins.delay_ms = settings.refused_login_delay_ms
            case "failed_logins_per_minute_max":
                broker.guessing.failures_max = settings.failed_logins_max
            case "unauthenticated_connections_max":
                broker.strangers.per_address_max = settings.unauthenticated_connections_max
            case _:
                broker.refused_logins.waiting_max = settings.refused_logins_max
    return limits | changed & CORE_KEYS


def _settle_connections(run: BrokerRun, after: Config, changed: set[str]) -> set[str]:
    """What connections to come are made with."""
    found = changed & _names(*run.settings_of_connections)
    if not found:
        return found
    try:
        run.reconfigure(after)
    except (ConfigError, StorageError) as error:
        _log.error("%s: what is new can't be used, so it stays as it was: %s", ", ".join(sorted(found)), error)
        return set()
    return found


def _import_again(run: BrokerRun, before: Config) -> bool:
    path = before.section(FirstStartSettings).load_definitions
    if path is None:
        return False
    try:
        load_definitions(run.broker, path, skip_if_unchanged=True, commits=False)
    except ConfigError as error:
        _log.error("%s", error)
    return True


def _names(*sections: type[object]) -> set[str]:
    """The keys of these classes of settings."""
    return {key.name for section in sections for key in keys_of(section)}
