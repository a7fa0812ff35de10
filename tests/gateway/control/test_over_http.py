"""`warren ctl --url`: words over the management API, and who may have which."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.plugins.management.api import Api, open_api, refusal
from warren.core.access.users import Users
from warren.core.errors import StorageError
from warren.gateway.command_line import main as command_line
from warren.gateway.control.api_client import Api as ApiUrl
from warren.gateway.control.client import CommandFailedError
from warren.gateway.control.protocol import REQUEST_BYTES_MAX, ROWS_AT_ONCE
from warren.gateway.control.word import VHOST, Remote
from warren.gateway.control.words.built_in import WORDS

LOOKS = (
    *("list_", "check_", "is_", "await_", "status", "ping", "top", "listeners", "server_version", "wait", "alarms"),
    *("certificates", "cipher_suites", "tls_versions", "log_location", "memory_breakdown", "node_health_check"),
    *("quorum_status", "message_size_stats"),
)
"""What words begin with that somebody without the tag administrator may ask for."""


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as opened:
        yield opened


async def run(api: Api, *words: str, user: str = "guest:guest") -> tuple[int, str, str]:
    """Exit code and both outputs of `warren ctl WORDS`."""
    said, complained = io.StringIO(), io.StringIO()
    url = f"http://{user}@127.0.0.1:{api.port}"

    def ctl() -> int:
        with redirect_stdout(said), redirect_stderr(complained):
            return command_line.run(["ctl", *words, "--url", url])

    code = await trio.to_thread.run_sync(ctl)
    return code, said.getvalue(), complained.getvalue()


async def ask(api: Api, body: object, tags: str = "administrator", **more: Any) -> Any:
    """The answer to a request as somebody with these tags, who may do everything in `/`."""
    if tags not in api.broker.users:
        api.user(tags, *tags.split())
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = await api.ask("POST", "/control", content=content, auth=(tags, "secret"), **more)
    return response.json() if response.status_code == 200 else refusal(response, 401, "not_authorised")


async def test_words_as_on_the_socket(api: Api) -> None:
    assert await run(api, "add_vhost", "v") == (0, 'Adding vhost "v" ...\n', "")
    assert await run(api, "-q", "list_vhosts", "name", "--formatter", "json") == (
        0,
        '[{"name": "/"}, {"name": "v"}]\n',
        "",
    )
    code, _, said = await run(api, "delete_queue", "none")
    assert (code, "no queue 'none'" in said) == (65, True)
    code, said, _ = await run(api, "status")
    assert code == 0
    assert said.startswith(f"Status of the Warren broker on http://127.0.0.1:{api.port} ...\n"), "without the password"


async def test_files_come_and_go(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "definitions.json"
    await api.put("/queues/%2F/orders", {"durable": True})
    assert (await run(api, "export_definitions", str(file)))[0] == 0
    assert [each["name"] for each in json.loads(file.read_text())["queues"]] == ["orders"]
    await api.ask("DELETE", "/queues/%2F/orders")
    assert (await run(api, "import_definitions", str(file)))[0] == 0
    assert (await api.get("/queues/%2F/orders"))["durable"] is True


async def test_long_answers_come_whole(api: Api) -> None:
    for number in range(ROWS_AT_ONCE + 1):
        await api.put(f"/queues/%2F/q{number}", {})
    code, said, _ = await run(api, "-q", "list_queues", "name", "--formatter", "json")
    assert (code, len(json.loads(said))) == (0, ROWS_AT_ONCE + 1)


async def test_words_of_plugins() -> None:
    async with open_api(plugins=("management", "shovel")) as api:
        code, said, _ = await run(api, "shovel_status", "--formatter", "json")
        assert (code, said) == (0, "[]\n")
        api.user("looks", "monitoring")
        code, _, said = await run(api, "restart_shovel", "x", user="looks:secret")
        assert (code, "needs the tag administrator" in said) == (70, True)


async def test_who_may_have_which_word(api: Api) -> None:
    words: Mapping[str, list[str]] = {"list_queues": [], "list_connections": [], "delete_user": ["nobody"], "ping": []}
    found = {
        tags: [
            name
            for name, arguments in words.items()
            if "needs the tag" not in str(await ask(api, {"command": name, "arguments": arguments}, tags))
        ]
        for tags in ("management", "policymaker", "monitoring", "administrator")
    }
    assert found == {
        "management": ["list_queues", "ping"],
        "policymaker": ["list_queues", "ping"],
        "monitoring": ["list_queues", "list_connections", "ping"],
        "administrator": ["list_queues", "list_connections", "delete_user", "ping"],
    }
    response = await api.ask("POST", "/control", content=b'{"command": "ping"}', auth=("guest", "wrong"))
    assert response.status_code == 401
    api.user("nobody")
    response = await api.ask("POST", "/control", content=b'{"command": "ping"}', auth=("nobody", "secret"))
    assert response.status_code == 401


async def test_somebody_elses_virtual_host(api: Api) -> None:
    await api.put("/vhosts/other", {})
    request = {"command": "list_queues", "options": {"vhost": "other"}}
    assert "may not access the virtual host 'other'" in await ask(api, request, "management")
    assert (await ask(api, request, "monitoring"))["rows"] == []


@pytest.mark.parametrize("name", ["stop", "shutdown", "stop_app", "start_app", "reset", "force_reset"])
async def test_what_would_end_the_api_is_for_the_machine(api: Api, name: str) -> None:
    answer = await ask(api, {"command": name})
    assert (answer["ok"], answer["exit_code"]) == (False, 69)
    code, _, said = await run(api, name)
    assert (code, "without --url" in said) == (69, True)
    assert await api.get("/whoami"), "it is still there"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"nonsense",
        b'{"command": "ping"}\nmore',
        b'{"command": "import_definitions", "content_bytes": 5}\nfour',
        b'{"command": "import_definitions", "content_bytes": "4"}\nfour',
        b'{"command": "no_such_word"}',
        b'{"command": "ping", "arguments": ["too many"]}',
        b'{"command": "ping", "arguments": [1]}',
        b'{"command": "ping", "options": []}',
        b'{"command": "ping", "options": {"vhost": "/"}}',
        b'{"command": "%s"}' % (b"x" * REQUEST_BYTES_MAX),
        b"[" * 100_000,
    ],
)
async def test_bad_requests(api: Api, body: bytes) -> None:
    answer = await ask(api, body)
    assert (answer["ok"], answer["exit_code"]) == (False, 64), answer


async def test_another_sites_page_asks_in_vain(api: Api) -> None:
    response = await api.ask(
        "POST", "/control", content=b'{"command": "ping"}', headers={"origin": "http://elsewhere.example"}
    )
    refusal(response, 403, "forbidden")


async def test_a_word_that_fails_is_no_failure_of_the_api(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(Users, "add_user", full)
    response = await api.ask("POST", "/control", content=b'{"command": "add_user", "arguments": ["a", "b"]}')
    answer = response.json()
    assert (answer["ok"], answer["error"], answer["exit_code"]) == (False, "the disk is full", 70)


def test_only_what_looks_may_be_others() -> None:
    others = {name for name, word in WORDS.items() if word.remote in (Remote.MONITORING, Remote.MANAGEMENT)}
    assert all(name.startswith(LOOKS) for name in others)
    assert {name for name, word in WORDS.items() if word.remote is Remote.NOBODY} == {
        "stop",
        "stop_app",
        "start_app",
        "reset",
        "force_reset",
        "set_plugins",
        "shutdown",
        "backup_store",
    }
    of_vhosts = {name for name in others if WORDS[name].takes(VHOST.name)}
    assert all(WORDS[name].remote is Remote.MANAGEMENT for name in of_vhosts)


@pytest.mark.parametrize(
    "url", ["nonsense", "ftp://x", "http://", "http://host:99999", "http://host:x", "http://u:secret@host:x", "/x"]
)
def test_no_urls(url: str) -> None:
    with pytest.raises(CommandFailedError, match="a URL is such as") as raised:
        ApiUrl.at(url)
    assert raised.value.exit_code == 64
    assert "secret" not in str(raised.value)


def test_who_asks() -> None:
    found = ApiUrl.at("https://a%40b:p%2Fw@host:1/broker/")
    assert (found.base, found.user, found.password) == ("https://host:1/broker", "a@b", "p/w")
    assert "p/w" not in found.shown
    found = ApiUrl.at("http://host")
    assert (found.user, found.password) == ("guest", "guest")


def test_a_password_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def typed(prompt: str) -> str:
        asked.append(prompt)
        return "typed"

    monkeypatch.setattr("getpass.getpass", typed)
    assert ApiUrl.at("http://alice@host").password == "typed"
    assert asked == ["Password of alice at http://host: "]

    def no_terminal(prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("getpass.getpass", no_terminal)
    with pytest.raises(CommandFailedError, match="there is no password for alice"):
        ApiUrl.at("http://alice@host")


class _Elsewhere(BaseHTTPRequestHandler):
    """Sends whoever asks to somewhere else, and says nothing of it."""

    def do_POST(self) -> None:
        self.send_response(307)
        self.send_header("location", f"{self.path}/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def test_what_isnt_warren(tmp_path: Path) -> None:
    with pytest.raises(CommandFailedError) as raised:
        ApiUrl.at("http://guest:secret@127.0.0.1:1").request("ping", timeout_s=30)
    assert (raised.value.exit_code, "secret" in str(raised.value)) == (69, False)
    with HTTPServer(("127.0.0.1", 0), _Elsewhere) as server:
        serving = threading.Thread(target=server.handle_request)
        serving.start()
        with pytest.raises(CommandFailedError, match="is 307"):
            ApiUrl.at(f"http://127.0.0.1:{server.server_port}").request("ping", timeout_s=30)
        serving.join()
