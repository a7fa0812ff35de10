"""docs/rabbitmq_ignored.md names every key of a rabbitmq.conf that is ignored, with what the log says of it."""

from __future__ import annotations

from tests.docs.rabbitmq_ignored_page import PAGE, refreshed
from warren.gateway.configuration.rabbitmq_conf.ignored import IGNORED

TEXT = PAGE.read_text("utf-8")


def test_it_is_in_step_with_what_is_ignored() -> None:
    assert refreshed(TEXT) == TEXT, "run: python -m tests.docs.rabbitmq_ignored_page"


def test_every_reason_has_a_row() -> None:
    assert TEXT.count("\n| `") == len(IGNORED)


def test_it_would_be_put_in_step() -> None:
    """A reason under another weight, a key that is missing, and a text that isn't the declaration's."""
    page = TEXT.replace("`federation.*`", "`federation`").replace("no federation", "none").replace("## Notes\n", "")
    assert page != TEXT
    assert refreshed(page) == TEXT
