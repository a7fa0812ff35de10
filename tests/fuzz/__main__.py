"""Fuzz a target, guided by what of the code an input reaches: `python -m tests.fuzz TARGET [--seconds S] [--keep]`.

Atheris does the guiding (libFuzzer), where it is installed; `--plain` goes without, by chance alone, from a seed.  An
input that fails is kept in `corpus/TARGET`, where the tests find it; `--keep` also keeps those that reached something
new, which should be few and small.  `python -m tests.fuzz --list` names the targets.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.fuzz.inputs import BYTES_MAX, CORPUS, changed, inputs_of

SECONDS: Final = 30
LOOK_EVERY: Final = 20


def keep(target: str, data: bytes, prefix: str) -> Path:
    """Keep an input for the tests."""
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{prefix}-{hashlib.sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    return path


def plain(name: str, seconds: float, seed: int) -> int:
    """Without Atheris; how many inputs were tried.  What fails is kept, and raised."""
    from tests.fuzz.targets import TARGETS

    chance = random.Random(seed)
    kept = inputs_of(name)
    ends_at_s = time.monotonic() + seconds
    count = 0
    while count % LOOK_EVERY or time.monotonic() < ends_at_s:
        data = changed(chance, kept)
        count += 1
        try:
            TARGETS[name](data)
        except Exception:
            print(f"{name} fails with {keep(name, data, 'failed')}", file=sys.stderr)
            raise
    return count


def guided(name: str, seconds: int, *, keeps: bool) -> None:
    """With Atheris, which ends the process."""
    import atheris

    with atheris.instrument_imports(include=["warren"], enable_loader_override=False):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]

    def one(data: bytes) -> None:
        try:
            target(data)
        except Exception:
            print(f"{name} fails with {keep(name, data, 'failed')}", file=sys.stderr)
            raise

    found = CORPUS / name if keeps else Path(tempfile.mkdtemp(prefix="warren-fuzz-"))
    found.mkdir(parents=True, exist_ok=True)
    (CORPUS / name).mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", f"-max_len={BYTES_MAX}", "-rss_limit_mb=2048", "-print_final_stats=1"]
    artifacts = f"-artifact_prefix={tempfile.gettempdir()}/"
    atheris.Setup([sys.argv[0], *options, artifacts, str(found), str(CORPUS / name)], one)
    atheris.Fuzz()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="?")
    parser.add_argument("--list", action="store_true", help="name the targets")
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--plain", action="store_true", help="by chance alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="keep inputs that reach something new")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    if options.list or options.target is None:
        from tests.fuzz.targets import TARGETS

        print("\n".join(TARGETS))
        return 0
    if options.plain:
        print(f"{options.target}: {plain(options.target, options.seconds, options.seed)} inputs")
        return 0
    guided(options.target, options.seconds, keeps=options.keep)
    return 0


if __name__ == "__main__":
    sys.exit(main())
