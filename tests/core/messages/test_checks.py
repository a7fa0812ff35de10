"""Checks on the properties of a publish (spec A.5, A.7)."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from warren.core.access.users import Users
from warren.core.errors import PreconditionFailed
from warren.core.messages.checks import (
    check_copies,
    check_expiration,
    check_user_id,
    extra_routing_keys,
    hidden_keys,
    without_bcc,
)
from warren.core.messages.field_table import FieldValue
from warren.core.messages.internal_headers import without_internal
from warren.core.messages.properties import EMPTY, encode_properties
from warren.core.storage.definitions.memory import MemoryDefinitionStore


@pytest.mark.parametrize("text", ["0", "60000", "+5", "315360000000", "000000000000000001"])
def test_expirations_that_count(text: str) -> None:
    check_expiration(encode_properties(expiration=text))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no_integer"),
        ("abc", "no_integer"),
        ("٣", "no_integer"),
        ("--1", "no_integer"),
        ("5s", '{leftover_string,"s"}'),
        ("1.5", '{leftover_string,".5"}'),
        ("-1", "negative"),
        ("315360000001", "ten years"),
        ("9" * 255, "ten years"),
    ],
)
def test_expirations_that_are_refused(text: str, reason: str) -> None:
    with pytest.raises(PreconditionFailed) as refused:
        check_expiration(encode_properties(expiration=text))
    assert reason in refused.value.text
    assert refused.value.text.startswith(f"invalid expiration '{text}'")


def test_the_user_id_has_to_be_ones_own() -> None:
    users = Users(MemoryDefinitionStore(), frozenset())
    guest = SimpleNamespace(user=users.add_user("guest", "guest"), tags=frozenset())
    check_user_id(guest, EMPTY)
    check_user_id(guest, encode_properties(user_id="guest"))
    with pytest.raises(PreconditionFailed, match="user_id property set to 'other' but authenticated user was 'guest'"):
        check_user_id(guest, encode_properties(user_id="other"))
    guest.tags = users.set_tags("guest", ["impersonator"]).tags
    check_user_id(guest, encode_properties(user_id="other"))


def test_extra_routing_keys() -> None:
    assert extra_routing_keys(EMPTY) == []
    assert extra_routing_keys(encode_properties(headers={"CC": ["a", "b"], "BCC": ["c"]})) == ["a", "b", "c"]
    odd = encode_properties(headers={"CC": ["a", 1, None, b"b", ["c"], {}, True], "BCC": [2.5, "d"]})
    assert extra_routing_keys(odd) == ["a", "d"]
    assert extra_routing_keys(encode_properties(headers={"CC": "a", "BCC": None})) == []


@pytest.mark.parametrize("name", ["CC", "BCC"])
def test_copies_are_arrays(name: str) -> None:
    wrongs: list[FieldValue] = ["a", None, 1, {}, b"a"]
    for wrong in wrongs:
        with pytest.raises(PreconditionFailed, match=f"invalid message: header '{name}'"):
            check_copies(encode_properties(headers={name: wrong}))
    rights: list[FieldValue] = [[], ["a"], [1, None]]
    for right in rights:
        check_copies(encode_properties(headers={name: right}))
    check_copies(EMPTY)


def test_consumers_see_cc_but_not_bcc() -> None:
    kept = without_bcc(encode_properties(headers={"CC": ["a"], "BCC": ["b"], "x": 1}))
    assert without_internal(kept).headers == {"CC": ["a"], "x": 1}
    assert extra_routing_keys(kept) == ["a"]
    assert hidden_keys(kept) == ["b"]
    without_keys = without_bcc(encode_properties(headers={"BCC": [], "x": 1}))
    assert without_keys.headers == {"x": 1}
    assert hidden_keys(without_keys) == hidden_keys(EMPTY) == []
    untouched = encode_properties(headers={"CC": ["a"]})
    assert without_bcc(untouched) is untouched
