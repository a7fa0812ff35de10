"""How many messages the backlog test queues, and what it may take for them."""

from __future__ import annotations

import pytest

MESSAGES = 60_000
BODY_BYTES = 1024

MESSAGES_PER_S_MIN = 500
"""In each direction; the test gives up below."""

START_S = 30
"""Beside that: the broker starts, and warms up."""

DISK_BYTES_PER_MESSAGE = 4 * BODY_BYTES
"""More than the log and its compaction take."""


def backlog_messages(config: pytest.Config) -> int:
    """What `--backlog-messages` says, or the usual number."""
    messages: int = config.getoption("backlog_messages", None) or MESSAGES
    return messages


def backlog_limits(config: pytest.Config) -> pytest.MarkDecorator:
    """What the test may take for so many messages."""
    messages = backlog_messages(config)
    return pytest.mark.limits(
        seconds=START_S + 2 * messages / MESSAGES_PER_S_MIN,
        disk_mib=512 + messages * DISK_BYTES_PER_MESSAGE // (1 << 20),
    )
