"""Every known difference between Warren and the RabbitMQ that the scenario tests are held against (Debian's
3.10).

The tests say what Warren does.  Where RabbitMQ does otherwise, an entry here says what it does and why Warren
doesn't, so that no test is weaker than it could be.  An entry is either the value that takes the place of the
one given to `expected(...)` in the test, or `FAILS`, when the whole test can't pass there (it must then
fail).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FAILS: Final = object()


@dataclass(frozen=True)
class Difference:
    """Why Warren differs, and what RabbitMQ does."""

    reason: str
    rabbitmq: object


DIFFERENCES: dict[str, Difference] = {}
"""By `test_file.py::test_name[case]`."""
