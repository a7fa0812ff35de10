"""What a rabbitmq.conf says of plugins, once it is known which of them are enabled.

RabbitMQ's file of enabled plugins is not this file, and neither is it here: `plugins` comes from the environment or the
command line.  So what is about a plugin is given with its name, and counts only while it is enabled, by default or by
name.  Its listeners are added to those of the file.  A plugin of which the file names none has its own default address
then, as it has where `listen` names nothing: RabbitMQ's would be there, too, on its port.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from warren.gateway.configuration.given import Given, Remark
from warren.gateway.configuration.plugins import enabled_plugins, own_listeners, plugin_names
from warren.gateway.network.addresses import LOCALHOST
from warren.gateway.network.settings import DEFAULT_LISTENERS, DEFAULT_TLS_LISTENERS

LISTEN: Final = "listen"
CERTIFICATE: Final = "tls_certificate_file"


def settle(
    settings: Sequence[Given], remarks: Iterable[Remark], outer: Sequence[Given]
) -> tuple[list[Given], list[Remark]]:
    """(settings, remarks) of the file that count.  outer: what counts more than the file."""
    enabled = _enabled(outer)
    kept = [each for each in settings if not each.plugin or each.plugin in enabled]
    told = [each for each in remarks if each.unless_plugin not in enabled]
    of_plugins = [each for each in kept if each.plugin and each.key == LISTEN]
    others = [each for each in kept if not (each.plugin and each.key == LISTEN)]
    named = [each for each in others if each.key == LISTEN]
    if not (named or of_plugins):
        return others, told
    has_certificate = any(each.key == CERTIFICATE for each in (*others, *outer))
    first = (named or of_plugins)[0]
    addresses = list(_entries(named[0])) if named else [str(each) for each in _defaults(has_certificate)]
    addresses += _added(addresses, of_plugins, enabled, has_certificate=has_certificate)
    written = ", ".join(each.written for each in (*named, *of_plugins))
    listen = Given(first.source, written, LISTEN, addresses, first.base)
    return [*(each for each in others if each.key != LISTEN), listen], told


def _enabled(outer: Iterable[Given]) -> tuple[str, ...]:
    found: tuple[str, ...] = ()
    for each in outer:
        if each.key == "plugins":
            try:
                found = plugin_names(each.value)
            except ValueError:
                found = ()  # which is told when it is parsed
    return enabled_plugins(found, None)


def _entries(given: Given) -> list[str]:
    return [str(each) for each in given.value] if isinstance(given.value, list) else [str(given.value)]


def _defaults(has_certificate: bool) -> tuple[object, ...]:
    return DEFAULT_LISTENERS + (DEFAULT_TLS_LISTENERS if has_certificate else ())


def _added(
    addresses: list[str], of_plugins: Iterable[Given], enabled: Iterable[str], *, has_certificate: bool
) -> list[str]:
    """The listeners of enabled plugins, as the file names them or where they are by default."""
    listeners = list(of_plugins)
    found: list[str] = []
    for plugin in enabled:
        named = [entry for each in listeners if each.plugin == plugin for entry in _entries(each)]
        found += named
        if not named:
            for protocol, port, tls_port in own_listeners([plugin]):
                found.append(f"{protocol}={LOCALHOST}:{port}?optional=true")
                if has_certificate:
                    found.append(f"{protocol}s={LOCALHOST}:{tls_port}?optional=true")
    return [each for each in found if each not in addresses]
