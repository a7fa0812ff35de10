"""Compiling patterns of users, policies and definitions: the one place that decides which engine matches them."""

from __future__ import annotations

import re
import warnings

from warren.core.patterns.pcre import translate


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """`pattern`, which is written in PCRE's syntax, ready for `search` in a name.

    Raises ValueError for what isn't valid, can't be translated, or what Python warns that it
    understands in its own way.
    """
    translated = translate(pattern)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return re.compile(translated, re.ASCII)
        except (re.error, Warning, OverflowError, RecursionError) as error:
            raise ValueError(str(error)) from None
