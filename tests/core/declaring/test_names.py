"""Names of exchanges and queues."""

from __future__ import annotations

import pytest

from warren.core.declaring.names import check_new_name, clean_name, generated_name, unguessable
from warren.core.errors import AccessRefused, PreconditionFailed


@pytest.mark.parametrize(("given", "clean"), [("a\r\nb", "ab"), ("a b", "a b"), ("\n", ""), ("a\tb", "a\tb")])
def test_line_ends_are_stripped_and_nothing_else(given: str, clean: str) -> None:
    assert clean_name(given) == clean


def test_reserved_names_are_refused() -> None:
    with pytest.raises(AccessRefused, match=r"queue name 'amq\.x' contains reserved prefix 'amq\.\*'"):
        check_new_name("queue", "amq.x")
    check_new_name("queue", "amqp")


def test_names_that_are_no_text_are_refused() -> None:
    with pytest.raises(PreconditionFailed, match="not valid UTF-8"):
        check_new_name("queue", b"a\xff".decode("utf-8", "surrogateescape"))
    check_new_name("queue", "naïve ☃")


def test_generated_names_look_as_clients_expect_and_never_repeat() -> None:
    names = {generated_name() for _ in range(1000)}
    assert len(names) == 1000
    assert all(name.startswith("amq.gen-") and len(name) == 30 for name in names)
    assert generated_name("amq.ctag").startswith("amq.ctag-")
    assert len(unguessable()) == 22
