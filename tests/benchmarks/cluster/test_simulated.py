"""The simulation at a small size: all that is told is known, and the figures are about what happened."""

from __future__ import annotations

from tests.benchmarks.cluster.logins import logins
from tests.benchmarks.cluster.simulated import claim_bytes, heard_at_a_join, one_change, shards_that_move, table
from tests.benchmarks.cluster.storms import storm


def test_a_join_hears_all_in_few_words() -> None:
    heard = heard_at_a_join(5, 20_000)
    assert heard.bindings == 20_000
    assert heard.words == 4 * 3
    assert heard.word_bytes < 20_000 * 60


def test_a_change_is_told_once_to_each_other_node() -> None:
    assert one_change(10, changes=5).words == 9


def test_few_shards_move() -> None:
    lost, gained = shards_that_move(50, 256)
    assert lost + gained < 64


def test_claims_are_short() -> None:
    claimed, answered = claim_bytes(100)
    assert answered < claimed < 10_000


def test_tables() -> None:
    assert table([["a", "b"], ["1", "2"]]) == "| a | b |\n|---|---|\n| 1 | 2 |"


def test_a_storm_of_definitions_ends_with_the_same_everywhere() -> None:
    found = storm(4, 40)
    assert found.definitions == 2 * 40 + 1
    # What all nodes declare at once is written by one of them; each tries it once.
    assert found.writes == found.definitions + found.refused
    assert found.refused >= 3
    assert found.rounds < 10


def test_all_devices_are_let_in_and_all_others_answered() -> None:
    alone, together = logins(4, 400, 1), logins(4, 400, 50)
    assert (alone.own, alone.heard) == (together.own, together.heard) == (100, 300)
    assert together.bytes_each < alone.bytes_each < 500
