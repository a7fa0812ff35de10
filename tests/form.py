"""What of the tests needs to run in one form of Warren alone: compiled (setup.py) or interpreted.

All tests run in one form; in the other, `pytest --other-form` leaves out what can't tell the two apart.  What that is
is decided here and nowhere else: by folder, each with its reason.  Those in `ONCE` may not import a module that is
compiled, but for files in `EVEN_SO` (a test sees to it).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parent

ONCE: Final = {
    "architecture": "reads the sources, and runs none of them",
    "browser": "tests the pages, which are JavaScript; what the broker answers them is tested where it is made",
    "docs": "holds pages against the sources",
    "examples": "tests programs of clients, and packages beside Warren",
    "installation": "builds and installs what it tests, whichever form runs the test",
    "mutants": "tests the tool that makes mistakes in sources, and how it finds them",
}
"""Folders of tests that run in one form alone, and why that is enough."""

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
    return inside.parts[0] in ONCE or inside.parts[0] in REAL_PEERS
