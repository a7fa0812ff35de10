"""Exit codes of the command line: those of rabbitmqctl, which takes them from sysexits.h (spec F.8)."""

from __future__ import annotations

OK = 0
FOUND = 1
"""The command succeeded, and what it was asked to look for is there (doctor)."""
USAGE = 64
"""The command line itself is wrong."""
DATA = 65
"""An argument is well formed but names something that isn't there, or doesn't hold."""
NO_USER = 67
"""The user that is named doesn't exist."""
UNAVAILABLE = 69
"""No broker runs there, or what was asked of it can't be had now."""
SOFTWARE = 70
"""The broker refused, or failed."""
TEMPORARY_FAILURE = 75
"""It may work later: a timeout, or another broker that holds the data directory."""
CONFIG = 78
"""The configuration, or the place it names for data, can't be used."""
