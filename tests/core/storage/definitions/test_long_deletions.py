"""Very many rows that go by one call: gone at once for whoever looks, and from the store slice by slice."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from warren.core.chores import Slice
from warren.core.storage.definitions.deletions import MARKER_KIND, NAMES_PER_SLICE, ROWS_PER_SLICE
from warren.core.storage.definitions.memory import MemoryDefinitionStore
from warren.core.storage.definitions.sqlite import SqliteDefinitionStore
from warren.core.storage.definitions.store import DefinitionStore

MANY = max(2 * NAMES_PER_SLICE, 4 * ROWS_PER_SLICE) + 3


def fill(store: DefinitionStore, count: int = MANY) -> None:
    store.put("queue", "v", "a queue", {})
    store.put("binding", "w", "b another's", {})
    for number in range(count):
        store.put("binding", "v", f"b{number}", {"number": number})
    store.put("binding", "v", "c", {})
    store.commit()


def names(store: DefinitionStore) -> list[tuple[str, str, str]]:
    return [row[:3] for row in store.load()]


def begun(store: DefinitionStore, call: str) -> Slice:
    rest = store.delete_vhost("v") if call == "delete_vhost" else store.delete_beginning("binding", "v", "b")
    assert rest is not None
    return rest


STAYING = {
    "delete_vhost": [("binding", "w", "b another's")],
    "delete_beginning": [("queue", "v", "a queue"), ("binding", "w", "b another's"), ("binding", "v", "c")],
}

CALLS = pytest.mark.parametrize("call", list(STAYING))


@CALLS
def test_they_are_gone_for_whoever_loads_from_the_call_on(store: DefinitionStore, call: str) -> None:
    fill(store)
    rest = begun(store, call)
    assert names(store) == STAYING[call]
    slices = 1
    while rest():
        assert store.dirty
        store.commit()
        slices += 1
        assert names(store) == STAYING[call]
    assert slices > 1
    assert names(store) == STAYING[call]
    assert not rest()


@CALLS
def test_what_is_put_meanwhile_stays_and_is_new(store: DefinitionStore, call: str) -> None:
    """Under an old name too: it comes behind all others then."""
    fill(store)
    rest = begun(store, call)
    rest()
    for name in ("b0", f"b{MANY - 1}", "b new"):
        store.put("binding", "v", name, {"again": True})
    store.put("binding", "v", "b1", {})
    store.delete("binding", "v", "b1")
    while rest():
        store.commit()
    store.commit()
    again = [("binding", "v", "b0"), ("binding", "v", f"b{MANY - 1}"), ("binding", "v", "b new")]
    assert names(store) == STAYING[call] + again
    assert [row[3] for row in store.load()][-3:] == [{"again": True}] * 3


@CALLS
def test_the_same_may_be_deleted_again_meanwhile(store: DefinitionStore, call: str) -> None:
    fill(store)
    first = begun(store, call)
    first()
    for number in range(MANY):
        store.put("binding", "v", f"b{number}", {"again": True})
    second = begun(store, call)
    assert names(store) == STAYING[call]
    store.put("binding", "v", "b7", {"third": True})
    while first():
        pass
    assert names(store)[-1] == ("binding", "v", "b7")
    while second():
        pass
    assert names(store) == [*STAYING[call], ("binding", "v", "b7")]


def test_clearing_ends_it(store: DefinitionStore) -> None:
    fill(store)
    rest = begun(store, "delete_beginning")
    store.clear()
    store.put("binding", "v", "b0", {})
    assert not rest()
    assert names(store) == [("binding", "v", "b0")]


def test_few_go_at_once(store: DefinitionStore) -> None:
    fill(store, ROWS_PER_SLICE - 1)
    assert store.delete_beginning("binding", "v", "b") is None
    assert names(store) == STAYING["delete_beginning"]


@CALLS
@pytest.mark.parametrize("done", [0, 1, 3])
def test_a_process_that_ends_meanwhile_keeps_nothing(path: Path, call: str, done: int) -> None:
    store = SqliteDefinitionStore(path)
    fill(store)
    rest = begun(store, call)
    for _ in range(done):
        rest()
    store.put("binding", "v", "b0", {"again": True})
    store.commit()
    store.close()
    store = SqliteDefinitionStore(path)
    assert names(store) == [*STAYING[call], ("binding", "v", "b0")]
    store.close()
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT count(*) FROM definitions").fetchone()[0] == len(STAYING[call]) + 1


def test_one_that_was_not_committed_never_was(path: Path) -> None:
    store = SqliteDefinitionStore(path)
    fill(store)
    begun(store, "delete_beginning")
    store.close()
    store = SqliteDefinitionStore(path)
    assert len(names(store)) == MANY + 3
    store.close()


def test_a_marker_goes_with_the_last_row(sqlite_store: SqliteDefinitionStore) -> None:
    fill(sqlite_store)
    rest = begun(sqlite_store, "delete_beginning")
    count = "SELECT count(*) FROM definitions WHERE kind = ?"
    assert sqlite_store._run(count, (MARKER_KIND,)) == [(1,)]
    while rest():
        pass
    assert sqlite_store._run(count, (MARKER_KIND,)) == [(0,)]


@pytest.mark.parametrize("call", list(STAYING))
def test_no_slice_deletes_more_than_its_share(sqlite_store: SqliteDefinitionStore, call: str) -> None:
    fill(sqlite_store)
    rest = begun(sqlite_store, call)
    connection = sqlite_store._connection
    assert connection is not None
    most = 0
    has_more = True
    while has_more:
        before = connection.total_changes
        has_more = rest()
        most = max(most, connection.total_changes - before)
    assert most <= ROWS_PER_SLICE + 1, "the last one deletes the marker, too"


def test_no_slice_in_memory_looks_at_more_than_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryDefinitionStore()
    fill(store)
    rest = begun(store, "delete_beginning")
    per_slice = []
    before = sum(map(len, store._rows["v"].values()))
    more = True
    while more:
        more = rest()
        now = sum(map(len, store._rows["v"].values()))
        per_slice.append(before - now)
        before = now
    assert 0 < max(per_slice) <= NAMES_PER_SLICE
    assert len(per_slice) >= 2


def test_the_work_goes_on_where_it_was(sqlite_store: SqliteDefinitionStore) -> None:
    """Rows that are put at the beginning of the range meanwhile aren't looked at again by each slice."""
    fill(sqlite_store)
    rest: Callable[[], bool] = begun(sqlite_store, "delete_beginning")
    slices = 0
    while rest():
        slices += 1
        for number in range(ROWS_PER_SLICE):
            sqlite_store.put("binding", "v", f"b!{slices}.{number}", {})
    assert slices <= MANY // ROWS_PER_SLICE + 1
