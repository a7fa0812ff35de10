"""What the API's operations take of a user's rights is as rights.txt says, whoever knows the user.

`python -m tests.plugins.management.rights` writes it anew.
"""

from __future__ import annotations

import pytest

from tests.plugins.management.rights import TABLE, USERS, left_out, lines


@pytest.mark.parametrize("users", USERS)
async def test_every_operation_takes_its_rights_and_no_others(users: str) -> None:
    assert await lines(USERS[users]) == TABLE.read_text().splitlines()


def test_no_operation_is_left_out() -> None:
    assert [f"{each.method} {each.path}" for each in left_out()] == []
