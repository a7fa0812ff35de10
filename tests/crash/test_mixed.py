"""All protocols at once, and the broker is killed in the middle of it.

`tests/crash/mixed/run.py` says what the load is, `tests/crash/mixed/history.py` what is checked.  More of it:
`python -m tests.crash --mixed --seed N --kills N`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.crash.mixed.run import CONFIRMED_LEAST, PLACES, MixedRun
from tests.crash.test_kill import SEED

KILLS = 4


def test_nothing_is_lost_of_any_protocol_when_the_broker_is_killed(
    pytestconfig: pytest.Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = pytestconfig.getoption("crash_seed", None) or SEED
    kills = pytestconfig.getoption("crash_rounds", None) or KILLS
    run = MixedRun(tmp_path, seed)
    run.run(kills)
    with capsys.disabled():
        print(f"\nmixed crash test, seed {seed}: {run}")
    assert run.counts.kills == kills
    history = run.history
    confirmed = {each.name: history.confirmed[each.name] for each in run.publishers}
    assert min(confirmed.values()) >= CONFIRMED_LEAST
    # What was published by the exchange came everywhere, at least as far as it was confirmed.
    by_exchange = sum(count for name, count in confirmed.items() if name != "stream")
    assert all(history.came[place] >= by_exchange for place in PLACES)
    # And what came behind the last of these kills is known to be settled.
    published_by_exchange = len(run.publishers) - 1
    assert all(history.proven[each.place] >= published_by_exchange * CONFIRMED_LEAST for each in run.consumers)
    shutil.rmtree(tmp_path)
