"""What is released: metadata, a README that shows everywhere, sources with docs, tests and examples."""

from __future__ import annotations

import email
import re
import subprocess
import sys
import tarfile
from email.message import Message
from pathlib import Path

import pytest

from tests.installation.release import absolute, build_sources, copy_tracked, stamp, versions
from tests.support.warren_process import REPOSITORY

WHERE = "https://code.example/warren/warren"

pytestmark = pytest.mark.limits(seconds=600)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("tree")
    copy_tracked(tree)
    stamp(tree, WHERE, "v1")
    return build_sources(tree, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def metadata(sources: Path) -> Message:
    with tarfile.open(sources) as archive:
        (name,) = [each for each in archive.getnames() if each.count("/") == 1 and each.endswith("/PKG-INFO")]
        file = archive.extractfile(name)
        assert file is not None
        return email.message_from_bytes(file.read())


def test_the_version_is_the_same_everywhere() -> None:
    assert len(set(versions().values())) == 1, versions()


def test_metadata(metadata: Message) -> None:
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["License-File"] == "LICENSE"
    assert "License ::" not in str(metadata.get_all("Classifier"))
    assert {"Typing :: Typed", "Framework :: Trio"} <= set(metadata.get_all("Classifier") or ())
    assert "mqtt" in metadata["Keywords"]
    urls = dict(each.split(", ", 1) for each in metadata.get_all("Project-URL") or ())
    assert urls == {
        "Homepage": WHERE,
        "Source": WHERE,
        "Documentation": f"{WHERE}/blob/v1/docs",
        "Changelog": f"{WHERE}/blob/v1/CHANGELOG.md",
        "Issues": f"{WHERE}/issues",
    }


def test_the_readme_shows_its_images_wherever_it_is_shown(metadata: Message) -> None:
    text = str(metadata.get_payload())
    images = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    assert images
    for image in images:
        assert image.startswith(f"{WHERE}/raw/v1/")
        assert (REPOSITORY / image.removeprefix(f"{WHERE}/raw/v1/")).is_file()
    for place in re.findall(r"\]\(([^)]+)\)", text):
        assert place.startswith(("https://", "http://", "#")), place
        if place.startswith(f"{WHERE}/blob/v1/"):
            assert (REPOSITORY / place.removeprefix(f"{WHERE}/blob/v1/").partition("#")[0]).exists(), place


def test_links_that_are_absolute_stay() -> None:
    assert absolute("[a](https://b/c) [d](#e) ![f](g.png) [h](i.md)", WHERE, "v2") == (
        f"[a](https://b/c) [d](#e) ![f]({WHERE}/raw/v2/g.png) [h]({WHERE}/blob/v2/i.md)"
    )


def test_the_sources_have_docs_tests_and_examples(sources: Path) -> None:
    with tarfile.open(sources) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    listed = subprocess.run(
        ["git", "ls-files", "docs", "tests", "examples", "debian"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    missing = [name for name in listed if name not in held]
    assert missing == []
    assert {"README.md", "CHANGELOG.md", "ARCHITECTURE.md", "LICENSE", "setup.py", "pyproject.toml"} <= held
    assert "src/warren/py.typed" in held
    assert not [name for name in held if "__pycache__" in name or "node_modules" in name or name.endswith(".so")]


@pytest.mark.parametrize("arguments", [[], ["--repository", WHERE, "--directory", "."]])
def test_the_script_wants_to_know_where_it_goes(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "tests.installation.release", *arguments]
    found = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert found.returncode != 0
    assert "Traceback" not in found.stderr
