"""Words on plugins: which there are, and which words they bring."""

from __future__ import annotations

from typing import Final

from warren.gateway.control.target import Answer, Control, RefusedError, Request, table, value
from warren.gateway.control.word import Remote, word

DISABLED: Final = "disabled"
"""The state of a plugin that is installed and not named by the key `plugins`."""

COLUMNS: Final = ("name", "state", "about", "restarts", "last_error", "since", "counters")
"""Those of the plugin host's listing (gateway.plugins.listing), which isn't there without plugins."""

SHOWN: Final = ("name", "state", "restarts", "last_error")
"""The columns when none is named."""


@word(
    "[COLUMN]...",
    "plugins: those that are enabled, and those that could be",
    "Listing plugins ...",
    remote=Remote.MONITORING,
    example="name state last_error",
    lists="plugins",
)
def list_plugins(control: Control, request: Request) -> Answer:
    """Rows of the host's listing, and the other plugins of this installation."""
    from warren.gateway.configuration.plugins import PLUGINS
    from warren.gateway.control import exit_codes as codes

    columns = tuple(part for name in request.arguments for part in name.split(",") if part)
    unknown = [name for name in columns if name not in COLUMNS]
    if unknown:
        text = f"unknown column {', '.join(unknown)}; the columns are {' '.join(COLUMNS)}"
        raise RefusedError(text, codes.USAGE)
    enabled = control.broker.inspect("plugins", None) if "plugins" in control.broker.listings.names() else []
    there = {row["name"] for row in enabled}
    others = [{"name": name, "state": DISABLED, "restarts": 0} for name in PLUGINS if name not in there]
    return table(columns or SHOWN, [*enabled, *others])


@word(
    "[PLUGIN]...",
    "enable these plugins and disable all others, now and from now on; `warren plugins` does it one by one",
    "Setting plugins ...",
    remote=Remote.NOBODY,
    example="management metrics shovel",
)
async def set_plugins(control: Control, request: Request) -> Answer:
    """What was changed by it, and where the listeners are of what was enabled."""
    from warren.core.errors import StorageError
    from warren.gateway.configuration.plugins import PluginSettings, PluginUnusableError, own_listeners
    from warren.gateway.control import exit_codes as codes
    from warren.gateway.network.addresses import format_address

    before = control.config.section(PluginSettings).plugins
    try:
        await control.server.set_plugins(request.arguments)
    except (StorageError, PluginUnusableError) as error:
        raise RefusedError(str(error), codes.SOFTWARE) from None
    after = control.config.section(PluginSettings).plugins
    started = [name for name in after if name not in before]
    stopped = [name for name in before if name not in after]
    found = control.server.listening
    addresses = {
        f"{name}{suffix}": [format_address(*each) for each in found.get(f"{name}{suffix}", ())]
        for name, _, _ in own_listeners(started)
        for suffix in ("", "s")
    }
    listening = {name: each for name, each in addresses.items() if each}
    lines = [f"enabled: {name}" for name in started] + [f"disabled: {name}" for name in stopped]
    lines += [f"listening: {name}={each}" for name, many in listening.items() for each in many]
    what = {"started": started, "stopped": stopped, "listening": listening}
    return value(what, "\n".join(lines) or "plugins are as they were")


@word("", "the words that the plugins of the running broker bring", while_stopped=True, remote=Remote.MANAGEMENT)
def list_plugin_words(control: Control, request: Request) -> Answer:
    """For people, and for the client, which hasn't these words and learns their syntax so."""
    words = list(control.plugin_words())
    return value([each.described() for each in words], "\n".join(f"{each.name}\t{each.about}" for each in words))
