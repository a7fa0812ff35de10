"""The text of a rabbitmq.conf, without what its keys mean: values, includes, substitution, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from warren.gateway.configuration.config import ConfigError
from warren.gateway.configuration.given import Given, Remark, Weight
from warren.gateway.configuration.rabbitmq_conf.reading import Reading
from warren.gateway.configuration.rabbitmq_conf.syntax import FILE_BYTES_MAX, INCLUDES_MAX, read_entries, words_of

ENVIRONMENT = {"HOST": "here", "a": "of the environment"}

TAKEN = [
    ("", {}),
    ("\n\r\n \t\n# a = 1\n", {}),
    ("a=1", {"a": "1"}),
    (" a \t=  1 2\t # two\r\nb.c = x", {"a": "1 2", "b.c": "x"}),
    ("a = 1\na = 2", {"a": "2"}),
    ("a = ''\nb = 'x # y' # z", {"a": "", "b": "x # y"}),
    ("a = 'two\nlines'\nb = 1", {"a": "two\nlines", "b": "1"}),
    ("a = '''\r\nit's\n\nmore\n'''\nb = 1", {"a": "it's\n\nmore", "b": "1"}),
    ("a = '''mutant r'''", {"a": "mutant r"}),
    ("user\\.name.x@y = 1", {"user\\.name.x@y": "1"}),
    ("a = $(HOST):$( HOST )\nb = $(a)!", {"a": "here:here", "b": "here:here!"}),
    ("b = $(a)\na = 1", {"b": "1", "a": "1"}),
    ("b = $(HOST", {"b": "$(HOST"}),
]


@pytest.mark.parametrize(("text", "entries"), TAKEN)
def test_keys_and_values(tmp_path: Path, text: str, entries: dict[str, str]) -> None:
    assert read_entries(text, tmp_path / "x.conf", ENVIRONMENT) == entries


REFUSED = [
    ("a", "line 1: 'a': must be key = value"),
    ("\n\n  a b", "line 3: 'a b': must be key = value"),
    ("\n = 1", "line 2: ' = ...': must be key = value"),
    ("a =", "line 1: 'a = ...': must be key = value; there is no value ('' is an empty one)"),
    ("a = 'swordfish' x", "line 1: 'a = ...': a value in single quotes ends at the next one"),
    ("b = 'it'\na = 'x' y", "line 2: 'a = ...': a value in single quotes ends at the next one"),
    ("b = 'it'\ninclude x y", "line 2: 'include x y': must be key = value"),
    ("'\ninclude x y", 'line 1: "\'": must be key = value'),
    ("a = $(gone)", "a = $(gone): there is no environment variable gone, nor a key of that name in the file; "),
    ("a = $(b)\nb = $(a)", "a -> b -> a: each is made of the next one"),
    ("a = $(a)", "a -> a: each is made of the next one"),
    ("a = $(<gone)", "a = $(<{directory}/gone): can't be read: No such file or directory"),
    ("a = $(<large)", "a = $(<{directory}/large): larger than 1048576 bytes, so not a part of a configuration"),
    ("include latin", "include {directory}/latin: not UTF-8 text (byte 4)"),
    (f"include {'x' * 300}/*.conf", f"include {'x' * 300}/*.conf: can't be read: File name too long"),
    ("include d", "include {directory}/d: can't be read: Is a directory"),
]


@pytest.mark.parametrize(("text", "error"), REFUSED)
def test_what_is_refused(tmp_path: Path, text: str, error: str) -> None:
    (tmp_path / "large").write_bytes(b"x" * (FILE_BYTES_MAX + 1))
    (tmp_path / "latin").write_bytes(b"a = \xe9")
    (tmp_path / "d").mkdir()
    path = tmp_path / "x.conf"
    with pytest.raises(ConfigError) as raised:
        read_entries(text, path, {})
    said = str(raised.value)
    assert said.startswith(f"{path}: {error.replace('{directory}', str(tmp_path))}")
    if "must be key = value" in said and ";" not in error:
        assert said.endswith("must be key = value")


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ("one\n", "one"),
        ("one\r\n", "one"),
        ("one\n\n", "one\n"),
        (" one ", " one "),
        ("\ufeffone", "one"),
        ("$(HOST) # 'x'", "$(HOST) # 'x'"),
        ("x" * FILE_BYTES_MAX, "x" * FILE_BYTES_MAX),
    ],
    ids=["newline", "carriage return", "two newlines", "spaces", "mark", "as it is", "largest"],
)
def test_a_value_in_a_file(tmp_path: Path, content: str, value: str) -> None:
    (tmp_path / "secret").write_bytes(content.encode())
    found = read_entries("a = $(< secret )\nb = $(a)", tmp_path / "x.conf", ENVIRONMENT)
    assert found == {"a": value, "b": value}


def test_files_are_included_in_place_and_name_others_from_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "1.conf").write_text("a = 1\ninclude e/x.conf")
    (tmp_path / "d" / "2.conf").write_text("b = 2")
    (tmp_path / "d" / "e" / "x.conf").write_text("c = $(<value)\na = 3")
    (tmp_path / "d" / "e" / "value").write_text("of e")
    found = read_entries("b = 0\ninclude d/*.conf # those\nd = $(c)", tmp_path / "x.conf", {})
    assert found == {"b": "2", "a": "3", "c": "of e", "d": "of e"}
    assert read_entries("include none/*.conf", tmp_path / "x.conf", {}) == {}


def test_so_many_files_may_be_included_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("a = 1")
    assert read_entries("include one\n" * INCLUDES_MAX, tmp_path / "x.conf", {}) == {"a": "1"}
    with pytest.raises(ConfigError) as raised:
        read_entries("include one\n" * (INCLUDES_MAX + 1), tmp_path / "x.conf", {})
    assert str(raised.value) == f"{tmp_path}/x.conf: includes more than 100 files; does one include itself?"


def test_words_of_keys() -> None:
    assert words_of("loopback_users.john\\.doe") == ["loopback_users", "john.doe"]
    assert words_of("a") == ["a"]


def test_what_is_read_is_not_left_over(tmp_path: Path) -> None:
    entries = {"a.b": "1", "a.c\\.d": "2", "a": "3", "a.e.f": "4", "g": "5", "ab.h": "6"}
    reading = Reading(entries, tmp_path / "x.conf")
    assert list(reading.take_under("a")) == [("a.b", "b", "1"), ("a.c\\.d", "c.d", "2")]
    assert (reading.take("g"), reading.take("h")) == ("5", None)
    assert reading.rest() == {"a": "3", "a.e.f": "4", "ab.h": "6"}
    reading.give("g", "heartbeat_s", 7)
    reading.remark(Weight.NOTE, "so")
    reading.remark(Weight.NOTE, "and so", unless="listen")
    source = str(tmp_path / "x.conf")
    assert reading.settings == [Given(source, "g", "heartbeat_s", 7, tmp_path)]
    assert reading.remarks == [
        Remark(Weight.NOTE, f"{source}: so", ""),
        Remark(Weight.NOTE, f"{source}: and so", "listen"),
    ]
    with pytest.raises(ConfigError) as raised:
        reading.refuse("no")
    assert str(raised.value) == f"{source}: no"
