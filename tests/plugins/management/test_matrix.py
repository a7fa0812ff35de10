"""Who may ask what is as permissions.txt says; `python -m tests.plugins.management.matrix` writes it anew."""

from __future__ import annotations

from tests.plugins.management.matrix import TABLE, of_warren


async def test_every_endpoint_every_tag_and_virtual_hosts_of_others() -> None:
    assert await of_warren() == TABLE.read_text().splitlines()
