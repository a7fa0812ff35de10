"""Builds what is released, from what is committed, and tries it in an empty environment.

    python -m tests.installation.release --repository https://HOST/OWNER/warren [--directory dist]

The repository's address is an argument, since nothing else here needs to know it: links and images of the README, which
are relative in the repository, become absolute, so that they work where the package's page shows it, and the package's
metadata says where sources, documentation, changes and issues are.  docs/releasing.md is the list of what is done
before and after.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from tests.installation.wheels import REPOSITORY, try_out
from warren.gateway.version import WARREN_VERSION

_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")

PLACES = {"Documentation": "{blob}/docs", "Changelog": "{blob}/CHANGELOG.md", "Issues": "{repository}/issues"}


def versions() -> dict[str, str]:
    """Where the version stands, and what it is there."""
    found = {"gateway/version.py": WARREN_VERSION}
    for file, pattern in (
        ("pyproject.toml", r'^version = "([^"]+)"'),
        ("debian/changelog", r"^warren-mq \(([^)]+)\)"),
        ("docs/man/warren.1", r'^\.TH WARREN 1 "" "Warren ([^"]+)"'),
    ):
        match = re.search(pattern, (REPOSITORY / file).read_text(), re.MULTILINE)
        found[file] = match[1] if match else "missing"
    return found


def copy_tracked(directory: Path) -> None:
    """All files of the repository that git knows, as they are in the working tree."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True).stdout
    copied = ["xargs", "-0", "cp", "-a", "--parents", "-t", str(directory)]
    subprocess.run(copied, input=listed, cwd=REPOSITORY, check=True)


def stamp(directory: Path, repository: str, tag: str) -> None:
    """Make links of the README absolute, and say in pyproject.toml where everything is."""
    blob = f"{repository}/blob/{tag}"
    readme = directory / "README.md"
    readme.write_text(absolute(readme.read_text(), repository, tag))
    project = directory / "pyproject.toml"
    places = {name: place.format(blob=blob, repository=repository) for name, place in PLACES.items()}
    lines = [f'{name} = "{place}"' for name, place in {"Homepage": repository, "Source": repository, **places}.items()]
    urls = "\n".join(["[project.urls]", *lines, "", ""])
    project.write_text(
        project.read_text().replace("[project.optional-dependencies]", f"{urls}[project.optional-dependencies]", 1)
    )


def absolute(text: str, repository: str, tag: str) -> str:
    """Markdown whose links and images work wherever it is shown."""

    def replaced(found: re.Match[str]) -> str:
        image, label, place = found.groups()
        if urlsplit(place).scheme or place.startswith("#"):
            return found[0]
        return f"{image}[{label}]({repository}/{'raw' if image else 'blob'}/{tag}/{place})"

    return _LINK.sub(replaced, text)


def build_sources(tree: Path, directory: Path) -> Path:
    """The package of sources."""
    hook = f"from setuptools.build_meta import build_sdist; build_sdist({str(directory)!r})"
    subprocess.run([sys.executable, "-c", hook], cwd=tree, check=True, stdout=subprocess.DEVNULL)
    (found,) = directory.glob("warren_mq-*.tar.gz")
    return found


def build_wheel(sources: Path, directory: Path) -> Path:
    """The wheel for all platforms, which isn't compiled, from the package of sources."""
    with tempfile.TemporaryDirectory() as unpacked:
        subprocess.run(["tar", "-xf", str(sources), "-C", unpacked], check=True)
        (tree,) = Path(unpacked).iterdir()
        hook = f"from setuptools.build_meta import build_wheel; build_wheel({str(directory)!r})"
        environment = {**os.environ, "WARREN_COMPILE": "0"}
        subprocess.run([sys.executable, "-c", hook], cwd=tree, env=environment, check=True, stdout=subprocess.DEVNULL)
    (found,) = directory.glob("warren_mq-*-none-any.whl")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Builds what is released, and tries it in an empty environment.")
    parser.add_argument("--repository", required=True, help="https://HOST/OWNER/NAME, where the sources are")
    parser.add_argument("--tag", default=f"v{WARREN_VERSION}", help="what the commit is called there")
    parser.add_argument("--directory", type=Path, default=REPOSITORY / "dist", help="where everything goes")
    given = parser.parse_args()
    if len(set(versions().values())) > 1:
        raise SystemExit(f"the versions differ: {versions()}")
    changed = subprocess.run(
        ["git", "status", "--porcelain"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    if changed.stdout:
        raise SystemExit(f"what is released is what is committed; these files aren't:\n{changed.stdout}")
    directory = given.directory.absolute()
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise SystemExit(f"{directory} isn't empty")
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name)
        copy_tracked(tree)
        stamp(tree, given.repository.rstrip("/"), given.tag)
        sources = build_sources(tree, directory)
    wheel = build_wheel(sources, directory)
    for package, form in ((wheel, "interpreted"), (sources, "compiled")):
        try_out(package, form=form)
        print(f"{package}: installed into an empty environment, and a message went through it")


if __name__ == "__main__":
    main()
