"""docs/reference/plugin_interface.md: everything that a plugin may import from Warren."""

from __future__ import annotations

import ast

from tests.docs.reference.client import PARTS as OF_CLIENTS
from tests.docs.reference.markdown import code, joined
from tests.docs.reference.source import described, documentation
from warren.gateway import plugin

PARTS = {
    "The plugin": (
        "Plugin",
        "Context",
        "Facts",
        "Resources",
        "Watcher",
        "MessageObserver",
        "ParameterChange",
        "CheckParameter",
        "Reached",
    ),
    "Serving connections": (
        *("ServingPlugin", "ByteStream", "App", "Mount", "Mounts", "Listening", "listeners", "missing_protocols"),
        *("cut_off_slowest", "need_packages", "refused_connection"),
    ),
    "Keys of the configuration": (
        *("Key", "Options", "configured", "keys_of", "settings_from"),
        *("boolean", "names", "number", "one_of", "size", "text", "whole_number"),
    ),
    "Words of the command line": (
        *("Word", "word", "Option", "VHOST", "Remote", "Control", "Request", "Answer", "RefusedError"),
        *("done", "table", "listing"),
    ),
    "Listings and policies": (
        "Kind",
        "Row",
        "Column",
        "PolicyKey",
        "MEMORY_PARTS",
        "memory_breakdown",
        "MessageFilter",
        "browse_page",
    ),
    "Long work": ("in_turns", "give_way", "answered", "when_known"),
    "Who may log in": (
        *("AuthenticationBackEnd", "DirectoryBackEnd", "Login", "Identity", "Question", "MayEnter", "MayUse"),
        *("MayUseTopic", "Denied", "BackEndUnusableError"),
    ),
    "Other brokers and services": (
        *("connect_amqp", "AmqpPeer", "connect_amqp10", "Amqp10Peer", "connect_mqtt", "MqttPeer"),
        *("connect_stomp", "StompPeer", "HttpPeer"),
    ),
    "Errors": ("BrokerError", "PreconditionFailed", "DirectError"),
    "Messages": ("EMPTY",),
}

INTRODUCTION = """
# The plug-in interface

Everything that a [plugin](../plugins.md) may use, from the code of [gateway/plugin.py](../../gateway/plugin.py),
which all of it is imported from: `from warren.gateway.plugin import Plugin`. What is called the client there is
described on [its own page](client.md).
"""


def page() -> str:
    """The whole page; AssertionError for a name of the interface that neither this page nor the client's has."""
    names = [name for part in PARTS.values() for name in part]
    elsewhere = {name for part in OF_CLIENTS.values() for name in part} & set(plugin.__all__)
    assert sorted([*names, *elsewhere]) == sorted(plugin.__all__)
    parts = [INTRODUCTION.strip(), documentation(ast.get_docstring(ast.parse(_source())) or "")]
    for title, members in PARTS.items():
        parts.append(f"## {title}")
        parts += [described("warren.gateway.plugin", name, names) for name in members]
    parts += [
        "## On the client's page",
        ", ".join(f"{code(name)}" for name in sorted(elsewhere)) + ": [the client](client.md).",
    ]
    return joined(parts)


def _source() -> str:
    assert plugin.__file__ is not None
    with open(plugin.__file__, encoding="utf-8") as file:
        return file.read()
