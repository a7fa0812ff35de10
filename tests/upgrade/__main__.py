"""Make the kept data directories anew: `python -m tests.upgrade [NAME ...]`.

The version of each is taken from the repository's own history, started, filled by clients, and killed or stopped.  What
it left is packed without what is only room kept free.
"""

from __future__ import annotations

import io
import lzma
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

from tests.support.warren_process import REPOSITORY, WarrenProcess, program_of, start_warren
from tests.upgrade.contents import OPTIONS, WORDS, fill
from tests.upgrade.releases import LOCK, RELEASES, Release

LEFT_OUT: Final = ("definitions.sqlite.ballast", LOCK)


def make(release: Release, *, killed: bool) -> None:
    """Make one of them."""
    with tempfile.TemporaryDirectory(prefix="warren-") as name:
        directory = Path(name)
        checkout, data = directory / "checkout", directory / "data"
        subprocess.run(["git", "clone", "-q", "--no-checkout", str(REPOSITORY), str(checkout)], check=True)
        subprocess.run(["git", "-C", str(checkout), "checkout", "-q", release.commit], check=True)
        protocols = ("amqp", "mqtt", *(["stream"] if release.notes_offsets else []))
        listen = [f"{protocol}=127.0.0.1:0" for protocol in protocols]
        broker = start_warren(directory, data_directory=data, listen=listen, options=OPTIONS, checkout=checkout)
        try:
            for words in WORDS:
                _ctl(checkout, data, *words)
            fill(broker.addresses, streams=bool(release.streams), notes=release.notes_offsets)
        finally:
            _end(broker, killed=killed)
        _pack(data, release.archive(killed=killed))


def _ctl(checkout: Path, data: Path, *words: str) -> None:
    path = os.pathsep.join([str(checkout / "src"), str(checkout)])
    command = [sys.executable, "-m", program_of(checkout), "ctl", "--data-dir", str(data), *words]
    subprocess.run(command, check=True, cwd=checkout, env={**os.environ, "PYTHONPATH": path})


def _end(broker: WarrenProcess, *, killed: bool) -> None:
    if killed:
        broker.kill()
    else:
        broker.stop()


def _pack(data: Path, archive: Path) -> None:
    """In the order of names and without times, so that the same content is the same archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(data.rglob("*")):
            if path.name in LEFT_OUT or path.is_socket():
                continue
            info = tar.gettarinfo(path, str(path.relative_to(data)))
            info.mtime = info.uid = info.gid = 0
            info.uname = info.gname = ""
            if path.is_file():
                with path.open("rb") as content:
                    tar.addfile(info, content)
            else:
                tar.addfile(info)
    archive.parent.mkdir(exist_ok=True)
    archive.write_bytes(lzma.compress(packed.getvalue(), preset=9))


def main() -> int:
    """The command."""
    wanted = sys.argv[1:]
    for release in RELEASES:
        if not wanted or release.name in wanted:
            for killed in (True, False):
                make(release, killed=killed)
                print(release.archive(killed=killed), release.archive(killed=killed).stat().st_size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
