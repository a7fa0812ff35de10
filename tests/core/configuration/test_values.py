"""Every kind of value: what it takes and gives, at its bounds and beside them, and the text of each refusal."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from warren.core.configuration import values
from warren.core.configuration.values import CertificateFiles, Watermark

Parser = Callable[[Any], object]

SHADES = values.one_of(("light", "dark"))
COLOURS = values.several_of(("red", "blue"))
WHOLE = values.whole_number(-2, 7)
FRACTION = values.number(-0.5, 2.5)
BYTES = values.size(2, 10**16)
LIMIT_MAX = 2147483647
"""What docs/configuration.md says of limits."""

NINES = "9" * 20
ZEROS = "0" * 20
"""As many digits as are read."""


def each(expected: object, *written: object) -> list[tuple[object, object]]:
    """What is written differently and means the same."""
    return [(one, expected) for one in written]


TAKEN: dict[str, tuple[Parser, list[list[tuple[object, object]]]]] = {
    "text": (values.text, [each("a", "a"), each(" a ", " a ")]),
    "one_of": (SHADES, [each("light", "light"), each("dark", " DARK\n")]),
    "boolean": (
        values.boolean,
        [each(True, True, "true", "yes", "on", "1", " TRUE "), each(False, False, "false", "no", "off", "0", " Off ")],
    ),
    "whole_number": (WHOLE, [each(-2, -2, "-2"), each(7, 7, "7", "+7", " 07 "), each(0, ZEROS)]),
    "whole_number_of_20_digits": (values.whole_number(0, 10**20), [each(int(NINES), NINES)]),
    "limit": (
        values.limit,
        [each(0, 0), each(5, "5"), each(LIMIT_MAX, LIMIT_MAX), each(None, "infinity", " INFINITY ")],
    ),
    "number": (
        FRACTION,
        [
            each(-0.5, -0.5, "-.5", "-0.5"),
            each(2.5, 2.5, "2.5"),
            each(2.0, 2, 2.0, "+2.", " 2 "),
            each(0.0, ZEROS, f".{ZEROS}", f"0.{ZEROS}"),
        ],
    ),
    "size": (
        BYTES,
        [
            each(2, 2, "2", "2b", "2 B", f"{ZEROS[:19]}2", f"2.{ZEROS}"),
            each(2 * 2**10, "2k", "2KiB", " 2 kib "),
            each(2 * 2**20, "2m", "2M", "2MiB"),
            each(2 * 2**30, "2g", "2GiB"),
            each(2 * 2**40, "2t", "2TiB"),
            each(2000, "2kB", "2.0009kB"),
            each(2 * 10**6, "2MB"),
            each(2 * 10**9, "2gb"),
            each(2 * 10**12, " 2 TB"),
            each(1536, "1.5k"),
            each(2**53 + 1, f"{2**53 + 1}"),
            each(10**16, 10**16),
        ],
    ),
    "watermark": (
        values.watermark,
        [
            each(Watermark(relative=0.0), 0, "0"),
            each(Watermark(relative=0.25), 0.25, "0.25"),
            each(Watermark(relative=1.0), 1, "1"),
            each(Watermark(absolute_bytes=2), 2, "2", "2b"),
        ],
    ),
    "path": (values.path, [each(Path("a/b"), "a/b"), each(Path("/a"), "/a"), each(Path.home(), "~")]),
    "names": (
        values.names,
        [
            each(frozenset({"a", "b"}), "a, b,,a", ["a", "b"], ("b", "a")),
            each(frozenset({"a,b"}), ["a,b"]),
            each(frozenset(), "", []),
        ],
    ),
    "several_of": (
        COLOURS,
        [each(frozenset({"red"}), "red", ["red"]), each(frozenset({"red", "blue"}), "blue,red", ["red", "blue"])],
    ),
    "certificate_files": (
        values.certificate_files,
        [
            each((CertificateFiles(Path("a")),), "a", ["a"]),
            each((CertificateFiles(Path("a"), Path("b")), CertificateFiles(Path.home())), "a:b, ~", ["a:b", "~"]),
            each((), "", []),
        ],
    ),
    "seconds_of": (
        values.seconds_of,
        [
            each(1.5, "1500"),
            each(0.0, "0"),
            each(999999999.999, "9" * 12),
            *(each(written, written) for written in ("9" * 13, "", "1s", "-1")),
        ],
    ),
}
"""By kind: its parser, and pairs of what is written and what that is."""


@pytest.mark.parametrize("kind", TAKEN)
def test_what_is_taken(kind: str) -> None:
    parse, pairs = TAKEN[kind]
    wanted = [pair for some in pairs for pair in some]
    found = [(written, parse(written)) for written, _ in wanted]
    assert found == wanted
    assert [type(value) for _, value in found] == [type(value) for _, value in wanted]


NOT_WHOLE: list[object] = [-3, 8, "8", True, 1.0, None, "1.5", "", "- 1", "1 1", "a", f"{ZEROS}0", ["1"]]
NOT_FINITE: list[object] = [math.nan, math.inf, -math.inf, "nan", "inf", "1e0"]

TOO_LONG: list[object] = [f"{ZEROS}2", f"2.{ZEROS}0"]

REFUSED: dict[str, tuple[Parser, str, list[object]]] = {
    "text": (values.text, "a string that isn't empty", ["", 7, None, ["a"]]),
    "one_of": (SHADES, "one of light, dark", ["", "grey", "light dark", 7]),
    "boolean": (values.boolean, "true or false", ["", "perhaps", 1, 0, None]),
    "whole_number": (WHOLE, "a whole number from -2 to 7", NOT_WHOLE),
    "whole_number_unit": (values.whole_number(1, 2, "miles"), "a whole number of miles from 1 to 2", [0, 3]),
    "limit": (
        values.limit,
        "a whole number from 0 to 2147483647, or infinity",
        [-1, LIMIT_MAX + 1, True, "", "inf", None],
    ),
    "number": (
        FRACTION,
        "a number from -0.5 to 2.5",
        [
            -0.51,
            2.51,
            True,
            None,
            *NOT_FINITE,
            "",
            ".",
            "1,5",
            f"{ZEROS}0",
            f"1.{ZEROS}0",
            f".{ZEROS}0",
            "1.5.1",
            "- 1",
        ],
    ),
    "number_unit": (values.number(0.5, 3600, "hours"), "a number of hours from 0.5 to 3600", [0.4, 3601]),
    "number_without_bound": (values.number(0, math.inf), "a number from 0 to inf", [*NOT_FINITE, -1]),
    "size": (
        BYTES,
        "a size in bytes, such as 1048576, 512KiB, 64MiB or 50MB, from 2 to 10000000000000000",
        [
            1,
            10**16 + 1,
            2.0,
            True,
            None,
            "1",
            "1.9",
            "",
            "k",
            "-2k",
            "2 pib",
            "2 parsec",
            "2KiBs",
            ".5k",
            "2.k",
            *TOO_LONG,
        ],
    ),
    "watermark": (
        values.watermark,
        "a fraction of the memory from 0 to 1, such as 0.6, or a size such as 2GiB",
        [-0.1, 1.5, "1.5", "", None, True, "1b", "a lot"],
    ),
    "path": (values.path, "the name of a file or directory", ["", 7, None, "a\0b"]),
    "path_home": (values.path, "a path; no home directory is known for this '~'", ["~nobody-of-this-name/a"]),
    "names": (values.names, 'a list of names, such as ["guest"] or guest,monitor', [7, None, [1], ["a", ""], {"a": 1}]),
    "several_of": (COLOURS, "one or more of red, blue", ["", [], "red,green", 7]),
    "certificate_files": (
        values.certificate_files,
        'a list of CERTIFICATE_FILE:KEY_FILE, such as ["example.org.pem:example.org.key"]',
        [7, "a:", ":a", "a:b:c", [""], [":"]],
    ),
}
"""By kind: its parser, what has to be instead, and what is refused with that text."""


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused(kind: str) -> None:
    parse, text, refused = REFUSED[kind]
    for written in refused:
        with pytest.raises(ValueError, match=rf"\A{re.escape(text)}\Z"):
            parse(written)


def test_amounts_of_memory_and_certificates_as_text_and_numbers() -> None:
    assert [str(Watermark(relative=0.4)), str(Watermark(absolute_bytes=7)), str(Watermark())] == ["0.4", "7", "None"]
    total = [Watermark(relative=0.5), Watermark(absolute_bytes=7), Watermark(absolute_bytes=0), Watermark()]
    assert [each.bytes_of(9) for each in total] == [4, 7, 0, 0]
    assert [str(CertificateFiles(Path("a"))), str(CertificateFiles(Path("a"), Path("b")))] == ["a", "a:b"]
