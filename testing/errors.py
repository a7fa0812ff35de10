"""What goes wrong with a broker under tests, in words for whoever wrote the test."""

from __future__ import annotations


class WarrenError(Exception):
    """The broker can't do what the test asks, or is gone; the text says what to do."""


class WarrenLeftovers(UserWarning):
    """A test has left something in its virtual host that is a client's to clear away."""
