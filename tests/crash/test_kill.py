"""The promise of durable storage, kept by the real process whenever it is killed (issue 2, point 4).

Every confirmed persistent message that was not acknowledged is there once, in order, in its queue, and every
acknowledged one whose acknowledgement was flushed is not; transactions are there as a whole or not at all, and so
are the definitions.  `tests/support/crash_history.py` says exactly what is checked, `crash_roles.py` what the load is.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.crash.rounds import rounds_of
from tests.support.crash_run import CrashRun

SEED = 1


def test_nothing_confirmed_is_lost_when_the_broker_is_killed(
    pytestconfig: pytest.Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rounds = rounds_of(pytestconfig)
    seed = pytestconfig.getoption("crash_seed", None) or SEED
    run = CrashRun(tmp_path, seed)
    run.run(rounds)
    with capsys.disabled():
        print(f"\ncrash test, seed {seed}: {run.counts}")
    assert run.counts.kills == rounds
    assert run.counts.confirmed > rounds * 100
    assert run.counts.amqp10_published > rounds * 10
    assert run.counts.amqp10_accepted > rounds
    assert run.counts.flushed_acknowledgements > rounds * 10
    shutil.rmtree(tmp_path)
