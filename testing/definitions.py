"""A definitions file, RabbitMQ's or Warren's, for the virtual host of one test.

What belongs to one virtual host of the file, the default one or the only one, is for that of the test: queues,
exchanges, bindings, policies, parameters, and what users may do there.  Users come with it, but for the one that tests
log in as; what other virtual hosts have stays out, and so do parameters of the broker as a whole.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from warren.testing.errors import WarrenError

if TYPE_CHECKING:
    from pathlib import Path

OF_VHOSTS: Final = ("permissions", "topic_permissions", "parameters", "policies", "queues", "exchanges", "bindings")

DEFAULT_VHOST: Final = "/"


def for_vhost(path: Path, vhost: str, user: str) -> str:
    """The document to import.  user: who stays as he is.  WarrenError for a file that can't be meant."""
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise WarrenError(f"the definitions {path} can't be read: {error.strerror}") from None
    except ValueError as error:
        raise WarrenError(f"the definitions {path} are no JSON: {error}") from None
    if not isinstance(document, dict):
        raise WarrenError(f"the definitions {path} are no JSON object")
    source = _vhost_of(document, path)
    made: dict[str, Any] = {
        section: [{**item, "vhost": vhost} for item in document.get(section, ()) if item.get("vhost", source) == source]
        for section in OF_VHOSTS
    }
    made["users"] = [item for item in document.get("users", ()) if item.get("name") != user]
    made["permissions"] = [item for item in made["permissions"] if item.get("user") != user]
    made["vhosts"] = [{**item, "name": vhost} for item in document.get("vhosts", ()) if item.get("name") == source]
    return json.dumps({section: items for section, items in made.items() if items})


def _vhost_of(document: dict[str, Any], path: Path) -> str:
    """Which virtual host of a file is meant."""
    names = {item.get("name") for item in document.get("vhosts", ())}
    names |= {item["vhost"] for section in OF_VHOSTS for item in document.get(section, ()) if "vhost" in item}
    if DEFAULT_VHOST in names or not names:
        return DEFAULT_VHOST
    if len(names) > 1:
        raise WarrenError(
            f"the definitions {path} have the virtual hosts {', '.join(sorted(map(str, names)))} and no '/': "
            "export the one that the tests are about (warren ctl export_definitions -p VHOST FILE)"
        )
    return str(names.pop())
