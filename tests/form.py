"""What of the tests needs to run in one form of Warren alone: compiled (setup.py) or interpreted.

All tests run in one form; in the other, `pytest --other-form` leaves out what can't tell the two apart.  What that is
is decided here and nowhere else: by folder or file, each with its reason.  Those in `ONCE` may not import a module
that is compiled, but for files in `EVEN_SO` (a test sees to it).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parent

ONCE: Final = {
    "architecture": "reads the sources, and runs none of them",
    "benchmarks/test_harness.py": "tests what measures; what it measures is tested everywhere else",
    "browser": "tests the pages, which are JavaScript; what the broker answers them is tested where it is made",
    "docs": "holds pages against the sources",
    "examples": "tests programs of clients, and packages beside Warren",
    "installation": "builds and installs what it tests, whichever form runs the test",
    "mutants": "tests the tool that makes mistakes in sources, and how it finds them",
    "support/test_limits.py": "tests the limits of tests, by tests of its own",
    "testing/test_strangers.py": "tests the plugin of pytest from outside, over sockets",
}
"""Folders and files of tests that run in one form alone, and why that is enough."""

REAL_PEERS: Final = {
    "interop": "clients and brokers of others; what they send and get is tested by bytes where it is made",
    "mqtt": "clients of others; the packets are tested in adapters/mqtt",
    "stomp": "clients of others; the frames are tested in adapters/stomp",
}
"""The same, of tests that talk to programs outside, by sockets."""

EVEN_SO: Final = {
    "docs/reference/arguments.py": "takes the arguments of queues and exchanges from where they are defined",
    "docs/reference/metric_names.py": "names the source of a login, as tests of metrics do",
    "docs/test_headers_page.py": "takes the names of headers from where they are defined",
}


def runs_once(test: Path) -> bool:
    """Whether a file of tests belongs to what runs in one form alone."""
    inside = test.relative_to(TESTS)
    return any(name in ONCE or name in REAL_PEERS for name in (inside.parts[0], inside.as_posix()))
