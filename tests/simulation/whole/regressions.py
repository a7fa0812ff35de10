"""Runs that once broke a promise, made short: what was wrong, and the actions."""

from __future__ import annotations

from typing import Final, NamedTuple

from tests.simulation.whole.run import Action


class Regression(NamedTuple):
    """seed: of the disk's chances.  actions: as they are written in failures."""

    name: str
    seed: int
    actions: str

    def parsed(self) -> list[Action]:
        """What is done."""
        found = []
        for each in self.actions.split():
            kind, peer, salt = each.split(":")
            found.append(Action(kind, int(peer), int(salt)))
        return found


REGRESSIONS: Final = (
    Regression(
        "acknowledgements behind a torn place count at the second start, not at the first",
        395,
        """
        do:2:3477296340 do:2:558993498 do:0:57682512 do:2:751553278 rest:5:1954355622 do:2:2353117784 do:2:1155294679
        do:0:2310848568 fail:1:2917047249 rest:1:2126834753 do:2:4205496772 do:2:521876303
        """,
    ),
)
