"""How the page's files are served: to everybody, by themselves, under policies that let in nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.plugins.management.api import open_api
from warren.adapters.websocket.page_files import FOLDER as LIVE_FOLDER
from warren.plugins.management.page_files import FOLDER

FILES = [path for path in sorted(FOLDER.rglob("*")) if path.is_file()]


async def test_every_file_of_both_pages() -> None:
    async with open_api() as api:
        for folder, prefix in ((FOLDER, "/"), (LIVE_FOLDER, "/live/")):
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    answer = await api.http.get(prefix + path.relative_to(folder).as_posix())
                    assert (answer.status_code, answer.content) == (200, path.read_bytes())
                    assert answer.headers["x-content-type-options"] == "nosniff"
        for address, index in (("/", FOLDER), ("/live/", LIVE_FOLDER)):
            assert (await api.http.get(address)).text == (index / "index.html").read_text()


async def test_what_it_may_load_and_who_may_show_it() -> None:
    async with open_api() as api:
        found = {path: (await api.http.get(path)).headers["content-security-policy"] for path in ("/", "/live/")}
    policies = {
        path: dict(each.strip().partition(" ")[::2] for each in text.split(";")) for path, text in found.items()
    }
    for directives in policies.values():
        assert directives["default-src"] == "'none'"
        assert directives["script-src"] == directives["style-src"] == "'self'"
        assert directives["base-uri"] == directives["form-action"] == "'none'"
    assert policies["/"]["frame-ancestors"] == "'none'"
    assert (
        policies["/"]["connect-src"] == policies["/"]["frame-src"] == policies["/live/"]["frame-ancestors"] == "'self'"
    )
    assert "unsafe" not in str(found)


async def test_a_file_that_the_browser_has() -> None:
    async with open_api() as api:
        first = await api.http.get("/main.js")
        assert first.headers["cache-control"] == "no-cache"
        assert first.headers["content-type"] == "text/javascript; charset=utf-8"
        tag = first.headers["etag"]
        again = await api.http.get("/main.js", headers={"if-none-match": f'"other", W/{tag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert (await api.http.get("/main.js", headers={"if-none-match": '"other"'})).status_code == 200


async def test_head_and_other_methods() -> None:
    async with open_api() as api:
        head = await api.http.head("/main.js")
        assert (head.status_code, head.content) == (200, b"")
        refused = await api.http.post("/main.js", content=b"x")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
        assert (await api.http.get("/api/whoami", auth=("guest", "guest"))).status_code == 200


@pytest.mark.parametrize(
    "path", ["/nothing", "/main.js/", "/style", "/%2e%2e/plugin.py", "/..%2fplugin.py", "/apiary", "//"]
)
async def test_nothing_else_is_there(path: str) -> None:
    async with open_api() as api:
        answer = await api.http.request("GET", api.http.base_url.copy_with(raw_path=path.encode()))
    assert answer.status_code == 404
    assert answer.text == "There is nothing at this path. The page is at /, the API below /api.\n"


async def test_the_other_page_needs_its_slash() -> None:
    async with open_api() as api:
        answer = await api.http.get("/live")
    assert (answer.status_code, answer.headers["location"]) == (308, "/live/")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_no_file_names_another_server_or_is_long(path: Path) -> None:
    text = path.read_text()
    addresses = set(re.findall(r"https?://[^\s'\"`)]+", text))
    assert [each for each in addresses if each != "http://www.w3.org/2000/svg"] == []
    assert path.suffix != ".js" or len(text.splitlines()) <= 400


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_nothing_is_read_as_html_or_run(path: Path) -> None:
    """Names come from anybody: text is put in as text, and no file has a script or a style in it."""
    text = path.read_text()
    for word in (
        "innerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "srcdoc",
        "style=",
        " onclick=",
    ):
        assert word not in text
