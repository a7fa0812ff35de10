"""Which mistakes can be tried by exchanging the code of functions, and which functions those change."""

from __future__ import annotations

from tests.mutants.forking import _changed, lines_of_functions

SOURCE = """
LIMIT = 3

def first(number, most=LIMIT):
    return number < most

class Thing:
    size = LIMIT

    def __init__(self):
        self._width = 1

    @property
    def width(self):
        return self._width

    @width.setter
    def width(self, value):
        self._width = value

    def all(self):
        return [
            each
            for each in range(self._width)
        ]

TABLE = {"a": lambda: 1, "b": lambda: 2}
"""


def test_bodies_of_functions_alone_are_tried_quickly() -> None:
    lines = SOURCE.splitlines()
    assert [lines[line - 1].strip() for line in sorted(lines_of_functions(SOURCE))] == [
        "return number < most",
        "self._width = 1",
        "return self._width",
        "self._width = value",
        "return [",
        "each",
        "for each in range(self._width)",
        "]",
    ]


def changed_by(before: str, after: str) -> set[str]:
    assert SOURCE.count(before) == 1
    return set(_changed(SOURCE, SOURCE.replace(before, after)))


def test_what_changes_is_known_by_name() -> None:
    assert changed_by("number < most", "number > most") == {"first"}
    assert changed_by("range(self._width)", "range(0)") == {"Thing.all"}
    assert changed_by("self._width = 1", "self._width = 2") == {"Thing.__init__"}


def test_two_of_one_name_take_the_long_way() -> None:
    assert changed_by("return self._width", "return None") == set(), "property and setter"
    assert changed_by("lambda: 1", "lambda: 3") == set(), "lambdas of a table"


def test_where_nothing_of_a_function_changes_there_is_nothing_to_exchange() -> None:
    assert changed_by("size = LIMIT", "size = 4") == set()
