"""Work in slices."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from warren.core.administration.steps import Steps


def counting(done: list[int], result: int | None) -> Generator[None, None, int | None]:
    for number in range(3):
        done.append(number)
        yield
    return result


@pytest.mark.parametrize("result", [5, 0, None])
def test_one_slice_at_a_time(result: int | None) -> None:
    done: list[int] = []
    steps = Steps(counting(done, result))
    assert done == []
    for number in range(3):
        assert steps.step()
        assert done == list(range(number + 1))
        with pytest.raises(LookupError):
            steps.result  # noqa: B018
    assert not steps.step()
    assert not steps.step()
    assert steps.result == steps.finish() == result


def test_the_rest_at_once() -> None:
    done: list[int] = []
    steps = Steps(counting(done, 7))
    steps.step()
    assert steps.finish() == 7
    assert done == [0, 1, 2]
