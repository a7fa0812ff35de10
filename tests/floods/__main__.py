"""`python -m tests.floods [NAME…]`: floods at full size, one line each (run from the repository's root)."""

from __future__ import annotations

import argparse

from tests.floods.every import FLOODS
from tests.floods.run import run
from tests.floods.stage import Measured


def line(found: Measured) -> str:
    """What a flood came to."""
    idle, busy = found.idle, found.busy
    return (
        f"{found.name:34} {found.size:>9,} in {found.took_s:5.1f} s  longest {found.longest:7.1f} ms ({found.task}; "
        f"{found.long_steps} over 20 ms; collecting {found.collection_ms:.0f} ms)  "
        f"others idle {idle['p50']:.1f}/{idle['p99']:.1f} ms, "
        f"busy {busy['p50']:.1f}/{busy['p99']:.1f}/{busy['longest']:.0f} ms (of {busy['count']})  "
        f"peak {found.peak_bytes / 2**20:.0f} MiB  objects {found.objects_before:,} -> {found.objects_after:,}"
    )


def main() -> None:
    """See the head of this file."""
    parser = argparse.ArgumentParser(prog="python -m tests.floods", description="Flood a broker, and measure it.")
    parser.add_argument("names", metavar="NAME", nargs="*", choices=[*FLOODS, []], help="all by default")
    parser.add_argument("--trace", action="store_true", help="say where the longest steps were")
    parser.add_argument("--small", action="store_true", help="as small as in the tests")
    asked = parser.parse_args()
    for name in asked.names or FLOODS:
        flood = FLOODS[name]
        found = run(flood, flood.small if asked.small else flood.size, "trace" if asked.trace else "time")
        print(line(found), flush=True)
        for took, stack in sorted(found.stacks.items(), key=lambda each: -float(each[0].split()[0]))[:6]:
            print(f"    {took}: {stack}", flush=True)


if __name__ == "__main__":
    main()
