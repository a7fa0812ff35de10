"""What every definition store promises (head of core/storage/definitions/store.py)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warren.core.storage.definitions.memory import MemoryDefinitionStore
from warren.core.storage.definitions.sqlite import LOAD_CHUNK_ROWS, SqliteDefinitionStore
from warren.core.storage.definitions.store import JSON, DefinitionStore

VALUES: list[dict[str, JSON]] = [
    {},
    {"durable": True, "auto_delete": False, "arguments": {}},
    {"arguments": {"x-max-length": 10, "x-list": [1, -2.5, None, "three", {"four": []}]}},
    {"large": 2**63, "negative": -(2**70), "unicode": "häse 🐇", "control": "\0\n\x1f"},
    {"surrogate": "\udcff\udc80", "": "blank key"},
]

NAMES = ["", "q", "a.b/c", "o'brien\"; --", "häse 🐇", "\0nul\0", "\udcff\udc80", "\udcc3\udca9", "é", "%_*"]


def names_of(store: DefinitionStore) -> list[str]:
    return [name for _, _, name, _ in store.load()]


@pytest.mark.parametrize("value", VALUES)
def test_a_value_comes_back_as_it_was_put(store: DefinitionStore, value: dict[str, JSON]) -> None:
    store.put("queue", "/", "q", value)
    assert list(store.load()) == [("queue", "/", "q", value)]


def test_any_names_are_kept_apart(store: DefinitionStore) -> None:
    keys = [(kind, vhost, name) for kind in ("queue", "exchange") for vhost in NAMES for name in NAMES]
    for number, (kind, vhost, name) in enumerate(keys):
        store.put(kind, vhost, name, {"number": number})
    assert list(store.load()) == [(*key, {"number": number}) for number, key in enumerate(keys)]
    for kind, vhost, name in keys[::2]:
        store.delete(kind, vhost, name)
    assert [row[:3] for row in store.load()] == keys[1::2]


def test_a_replaced_row_keeps_its_place_and_one_put_again_goes_last(store: DefinitionStore) -> None:
    for name in "abc":
        store.put("queue", "/", name, {})
    store.put("queue", "/", "a", {"new": True})
    assert names_of(store) == ["a", "b", "c"]
    store.delete("queue", "/", "b")
    store.put("queue", "/", "b", {})
    assert names_of(store) == ["a", "c", "b"]
    assert next(store.load())[3] == {"new": True}


def test_deleting_what_is_not_there_is_no_error(store: DefinitionStore) -> None:
    store.put("queue", "/", "q", {})
    store.delete("queue", "/", "other")
    store.delete("exchange", "/", "q")
    store.delete("queue", "other", "q")
    store.delete_vhost("other")
    assert names_of(store) == ["q"]


def test_delete_vhost_takes_all_kinds_of_that_vhost_only(store: DefinitionStore) -> None:
    for vhost in ("", "/", "/x", "x"):
        store.put("queue", vhost, "q", {})
        store.put("permission", vhost, "guest", {})
    store.delete_vhost("/")
    assert [(kind, vhost) for kind, vhost, _, _ in store.load()] == [
        (kind, vhost) for vhost in ("", "/x", "x") for kind in ("queue", "permission")
    ]


@pytest.mark.parametrize("beginning", ["", "q", "q,", "é", "\udcff", "\0", "qq"])
def test_delete_beginning_takes_what_begins_so_of_that_kind_and_vhost(store: DefinitionStore, beginning: str) -> None:
    names = [*NAMES, "q,1", "q,2", "q-", "qq", "q,\udcff", "é1"]
    for kind in ("queue", "binding"):
        for vhost in ("/", "/x"):
            for name in names:
                store.put(kind, vhost, name, {})
    store.delete_beginning("binding", "/", beginning)
    left = [name for kind, vhost, name, _ in store.load() if (kind, vhost) == ("binding", "/")]
    assert left == [name for name in names if not name.startswith(beginning)]
    assert sum((kind, vhost) != ("binding", "/") for kind, vhost, _, _ in store.load()) == 3 * len(names)
    assert store.dirty


def test_rows_of_no_vhost_are_not_deleted_as_a_vhost(store: DefinitionStore) -> None:
    store.put("user", "", "guest", {})
    with pytest.raises(ValueError, match="no vhost"):
        store.delete_vhost("")
    assert names_of(store) == ["guest"]


def test_clear_removes_rows_but_not_counters(store: DefinitionStore) -> None:
    store.put("user", "", "guest", {})
    store.put("queue", "/", "q", {})
    given_before = store.next_id("queue")
    store.clear()
    store.commit()
    assert list(store.load()) == []
    assert store.next_id("queue") > given_before


def test_a_value_is_copied_both_ways(store: DefinitionStore) -> None:
    arguments: dict[str, JSON] = {"a": 1}
    store.put("queue", "/", "q", {"arguments": arguments})
    arguments["a"] = 2
    loaded: Any = next(store.load())[3]
    assert loaded == {"arguments": {"a": 1}}
    loaded["arguments"]["a"] = 3
    assert next(store.load())[3] == {"arguments": {"a": 1}}


@pytest.mark.parametrize("wrong", [b"bytes", {1, 2}, object()])
def test_a_value_that_json_cannot_hold_is_refused_and_changes_nothing(store: DefinitionStore, wrong: Any) -> None:
    store.put("queue", "/", "q", {"was": "here"})
    store.commit()
    with pytest.raises(TypeError):
        store.put("queue", "/", "q", {"wrong": wrong})
    assert not store.dirty
    assert next(store.load())[3] == {"was": "here"}


def test_changes_make_dirty_and_commit_makes_clean(store: DefinitionStore) -> None:
    assert not store.dirty
    store.commit()
    changes: list[Callable[[], object]] = [
        lambda: store.put("queue", "/", "q", {}),
        lambda: store.delete("queue", "/", "q"),
        lambda: store.delete_beginning("queue", "/", "q"),
        lambda: store.delete_vhost("/"),
        store.clear,
    ]
    for change in changes:
        change()
        assert store.dirty
        store.commit()
        assert not store.dirty


def test_sync_after_commit_leaves_nothing_unsynced(store: DefinitionStore) -> None:
    store.put("queue", "/", "q", {})
    store.commit()
    assert store.unsynced is store.durable
    store.sync()
    assert not store.unsynced


def test_ids_grow_and_counters_are_apart(store: DefinitionStore) -> None:
    assert [store.next_id("queue") for _ in range(3)] == [1, 2, 3]
    assert [store.next_id("session") for _ in range(2)] == [1, 2]
    assert store.next_id("queue") == 4


def test_taking_an_id_leaves_pending_changes_in_place(store: DefinitionStore) -> None:
    store.put("queue", "/", "q", {})
    store.next_id("queue")
    store.put("queue", "/", "r", {})
    store.commit()
    assert names_of(store) == ["q", "r"]


def test_the_store_may_be_changed_while_it_is_read(store: DefinitionStore) -> None:
    count = LOAD_CHUNK_ROWS * 2 + 1
    for number in range(count):
        store.put("queue", "/", str(number), {})
    seen = []
    for kind, vhost, name, _ in store.load():
        seen.append(name)
        store.delete(kind, vhost, name)
        store.put(kind, vhost, f"new {name}", {})
    assert seen == [str(number) for number in range(count)]
    assert names_of(store) == [f"new {number}" for number in range(count)]


def test_closing_twice_is_no_error(store: DefinitionStore) -> None:
    store.close()
    store.close()


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["put", "delete", "delete_beginning", "delete_vhost", "commit", "clear"]),
        st.sampled_from(["queue", "exchange"]),
        st.sampled_from(["/", "v"]),
        st.sampled_from(["a", "b", "c"]),
        st.integers(0, 9),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(OPERATIONS)
def test_both_stores_agree_after_any_operations(operations: list[tuple[str, str, str, str, int]]) -> None:
    """The memory store is a dict, so it is the model; the store on disk is reopened at the end."""
    model = MemoryDefinitionStore()
    with TemporaryDirectory() as directory:
        path = Path(directory) / "definitions.sqlite"
        store = SqliteDefinitionStore(path)
        for operation in operations:
            apply(model, *operation)
            apply(store, *operation)
        assert list(store.load()) == list(model.load())
        assert store.dirty == model.dirty
        store.commit()
        store.close()
        reopened = SqliteDefinitionStore(path)
        assert list(reopened.load()) == list(model.load())
        reopened.close()


def apply(store: DefinitionStore, verb: str, kind: str, vhost: str, name: str, number: int) -> None:
    if verb == "put":
        store.put(kind, vhost, name, {"number": number})
    elif verb == "delete":
        store.delete(kind, vhost, name)
    elif verb == "delete_beginning":
        store.delete_beginning(kind, vhost, name[:1])
    elif verb == "delete_vhost":
        store.delete_vhost(vhost)
    elif verb == "commit":
        store.commit()
    elif number == 0:
        store.clear()
