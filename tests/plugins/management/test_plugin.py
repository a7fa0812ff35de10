"""The plugin in a process: where it listens, what it imports and when, and what is missing without its packages."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugins.management.api import endpoint_of, open_api
from tests.support.warren_process import REPOSITORY
from warren.gateway.configuration.config import Config
from warren.gateway.configuration.load import load_config
from warren.gateway.configuration.sources import assignments
from warren.gateway.network.addresses import Listener
from warren.plugins import registry
from warren.plugins.management import plugin as plugin_module
from warren.plugins.management.endpoints import ENDPOINTS
from warren.plugins.management.openapi import document
from warren.plugins.management.settings import ManagementSettings

TIME_LIMIT_S = 60.0

pytestmark = pytest.mark.limits(seconds=2 * TIME_LIMIT_S)


def test_it_listens_where_rabbitmq_does_while_nothing_is_named() -> None:
    enabled = Config(in_memory=True, plugins=("-metrics",))
    assert enabled.listeners[-1] == Listener("http", "localhost", 15672, optional=True)
    assert enabled.listeners[:-1] == Config(in_memory=True, plugins=("-metrics", "-management")).listeners
    named = (Listener("amqp", "localhost", 0),)
    assert Config(in_memory=True, plugins=("management",), listeners=named).listeners == named


def test_and_over_tls_with_a_certificate(tmp_path: Path) -> None:
    settings = assignments(["plugins=-metrics", f"tls_certificate_file={tmp_path}/c", f"tls_key_file={tmp_path}/k"])
    found = load_config(settings, environment={}, directory=tmp_path).listeners
    assert found[-2:] == (
        Listener("http", "localhost", 15672, optional=True),
        Listener("http", "localhost", 15671, tls=True, optional=True),
    )


PROGRAM = """
import sys
import httpx, trio
from warren.gateway import open_broker
from warren.gateway.configuration.config import Config

HEAVY = ("starlette", "msgspec", "warren.plugins.management.application")

OF_OTHERS = ("warren.gateway.peers", "warren.adapters.amqp091.client", "warren.adapters.mqtt.client", "multipart")

async def main():
    config = Config(in_memory=True, plugins=("management",))
    async with open_broker(listen=("http=127.0.0.1:0",), config=config) as broker:
        print([name for name in HEAVY if name in sys.modules])
        host, port = broker.listening["http"][0]
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"http://{host}:{port}/api/whoami", auth=("guest", "guest"))
            print(answer.status_code)
        print([name for name in HEAVY if name not in sys.modules])
        print([name for name in OF_OTHERS if name in sys.modules])

trio.run(main)
"""


def test_what_it_needs_is_imported_with_the_first_connection() -> None:
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=True)
    assert done.stdout.split("\n")[:4] == ["[]", "200", "[]", "[]"]


def test_without_its_packages_the_start_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="it needs the package h11: pip install h11"):
        importlib.reload(plugin_module)


def test_the_table_of_plugins_knows_its_packages() -> None:
    assert registry.ON_BY_DEFAULT["management"] == plugin_module.PACKAGES


def test_keys() -> None:
    settings = assignments(
        [
            "plugins=management",
            "management.connections_max=3",
            "management_answers_bytes_max=2MiB",
            "management_body_bytes_max=1MiB",
            "management_request_timeout_s=2.5",
            "management_path_prefix=mq",
            "management_cors_allow_origins=https://a.example,https://b.example",
            "management_cors_max_age_s=5",
        ]
    )
    from warren.gateway.configuration.options import options_of

    found = options_of(load_config(settings, environment={})).section(ManagementSettings)
    origins = ("https://a.example", "https://b.example")
    assert found == ManagementSettings(3, 2**21, 2**20, 2.5, "/mq", origins, 5)


# The OpenAPI document


async def test_the_document_is_served() -> None:
    async with open_api() as api:
        found = await api.get("/openapi.json")
        assert found == json.loads(json.dumps(document(ENDPOINTS, found["info"]["version"])))
        assert found["servers"] == [{"url": "/"}]
        assert found["openapi"] == "3.1.0"


def test_the_document_names_every_endpoint_once_and_lacks_no_schema() -> None:
    found = document(ENDPOINTS, "1")
    operations = [operation for path in found["paths"].values() for operation in path.values()]
    assert len(operations) == len(ENDPOINTS)
    assert len({each["operationId"] for each in operations}) == len(ENDPOINTS)
    schemas = found["components"]["schemas"]
    for reference in json.dumps(found).split('"$ref": "#/components/schemas/')[1:]:
        assert reference.partition('"')[0] in schemas


def test_no_path_hides_another() -> None:
    for each in ENDPOINTS:
        example = each.path.replace("{", "a-").replace("}", "")
        assert endpoint_of(each.method, example) is each, each.path
    shapes: dict[tuple[str, ...], str] = {}
    for each in ENDPOINTS:
        shape = tuple("{}" if part.startswith("{") else part for part in each.path.split("/"))
        assert shapes.setdefault(shape, each.path) == each.path, "one place has one name in all methods"


NAMED_BEHIND = ("/tail/%2F",)
"""Where a name stands behind the `?`."""


async def test_every_get_that_needs_no_name_answers_as_declared() -> None:
    """And so do those of objects, in the other tests (api.check_answer)."""
    async with open_api(plugins=("management", "shovel")) as api:
        await api.put("/queues/%2F/q", {})
        asked = 0
        for each in ENDPOINTS:
            path = each.path.replace("{vhost}", "%2F")
            if each.method == "GET" and "{" not in path and path not in NAMED_BEHIND:
                assert (await api.ask("GET", path)).status_code == 200, path
                asked += 1
        assert asked > 40
        for path in ("/queues/%2F/q", "/exchanges/%2F/amq.topic", "/vhosts/%2F", "/users/guest", "/nodes/warren@x"):
            assert (await api.ask("GET", path)).status_code in (200, 404)
        (node,) = await api.get("/nodes")
        assert await api.get(f"/nodes/{node['name']}?columns=name") is not None
        assert node["enabled_plugins"] == ["management", "shovel"]
        assert (await api.get(f"/health/checks/port-listener/{api.port}"))["status"] == "ok"
        failed = await api.ask("GET", "/health/checks/port-listener/1")
        assert (failed.status_code, failed.json()["missing"]) == (503, 1)
        assert (await api.get("/health/checks/protocol-listener/http"))["status"] == "ok"
        failed = await api.ask("GET", "/health/checks/protocol-listener/amqp,http")
        assert (failed.status_code, failed.json()["missing"]) == (503, ["amqp"])
