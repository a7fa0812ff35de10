"""A server with plugins, in virtual time, and what tests ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio
from trio.testing import wait_all_tasks_blocked

from warren.gateway.configuration.config import Config
from warren.gateway.control.commands import run_command
from warren.gateway.control.target import Answer, Control
from warren.gateway.plugins.host import PluginHost
from warren.gateway.plugins.supervised import SupervisedPlugin
from warren.gateway.server import Server, open_server


@asynccontextmanager
async def running(*plugins: str, **options: object) -> AsyncIterator[Server]:
    """A server with these plugins, once they run."""
    config = Config(in_memory=True, listeners=(), plugins=plugins).replace(**options)
    async with open_server(config) as server:
        await wait_all_tasks_blocked()
        yield server


def host_of(server: Server) -> PluginHost:
    assert server.plugins is not None
    return server.plugins


def plugin_of(server: Server, name: str = "sample") -> SupervisedPlugin:
    return next(plugin for plugin in host_of(server).plugins if plugin.name == name)


async def becomes(holds: Callable[[], bool]) -> None:
    """Let (virtual) time pass until something holds."""
    with trio.fail_after(10_000):
        while not holds():
            await trio.sleep(0.1)


async def ask(server: Server, command: str, *arguments: str) -> Answer:
    """What the control socket answers to a command."""
    control = Control(server, server.config, 0.0, server.plugin_words)
    return await run_command(control, {"command": command, "arguments": list(arguments), "options": {}})
