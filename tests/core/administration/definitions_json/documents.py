"""Definitions for tests: the files in `data`, small documents, and what brokers export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from warren.core.administration.definitions_json.exporting import export_definitions, export_vhost
from warren.core.broker import Broker
from warren.core.routing.vhost import VirtualHost

DATA = Path(__file__).parent / "data"
FILES = sorted(path.name for path in DATA.glob("*.json"))

Document = dict[str, Any]


def read(name: str) -> str:
    return (DATA / name).read_text()


def exported(broker: Broker) -> Document:
    """What a broker exports, through JSON text."""
    found = export_definitions(broker, product_name="Warren", product_version="0", rabbitmq_version="4.1.0").finish()
    return dict(json.loads(json.dumps(found)))


def exported_vhost(vhost: VirtualHost) -> Document:
    found = export_vhost(vhost, product_name="Warren", product_version="0", rabbitmq_version="4.1.0").finish()
    return dict(json.loads(json.dumps(found)))


def document(**sections: list[Any]) -> str:
    """A file with these sections."""
    return json.dumps({"rabbit_version": "4.1.0", **sections})


def small() -> Document:
    """One of everything, in a virtual host of its own."""
    return {
        "rabbit_version": "4.1.0",
        "users": [{"name": "ann", "password_hash": "", "tags": ["monitoring"]}],
        "vhosts": [{"name": "v"}],
        "permissions": [{"user": "ann", "vhost": "v", "configure": "a", "write": "b", "read": "c"}],
        "topic_permissions": [{"user": "ann", "vhost": "v", "exchange": "x", "write": "a", "read": "b"}],
        "global_parameters": [{"name": "g", "value": 1}],
        "policies": [{"vhost": "v", "name": "p", "pattern": "^q", "definition": {"max-length": 1}}],
        "parameters": [{"vhost": "v", "component": "vhost-limits", "name": "limits", "value": {"max-queues": 5}}],
        "exchanges": [{"vhost": "v", "name": "x", "type": "headers", "arguments": {}}],
        "queues": [{"vhost": "v", "name": "q", "arguments": {"x-max-length": 3}}],
        "bindings": [{"vhost": "v", "source": "x", "destination": "q", "arguments": {"x-match": "any"}}],
    }
