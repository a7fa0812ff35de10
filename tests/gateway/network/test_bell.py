"""Another thread wakes the hub, with eventfd and without."""

from __future__ import annotations

import os
import threading

import pytest
import trio

from tests.support.simulated_broker import SimulatedBroker
from warren.gateway.network.bell import Bell
from warren.gateway.network.clock import Clock
from warren.gateway.network.hub import Hub

PATIENCE_S = 60.0


def ring_thrice(bell: Bell) -> None:
    for _ in range(3):
        bell.ring()


@pytest.mark.parametrize("has_eventfd", [True, False])
async def test_a_ring_wakes_the_hub_once_for_all_until_then(
    monkeypatch: pytest.MonkeyPatch, *, has_eventfd: bool
) -> None:
    if not has_eventfd:
        monkeypatch.delattr(os, "eventfd", raising=False)
    simulated = SimulatedBroker()
    hub = Hub(simulated.broker, Clock())
    rung: list[int] = []
    bell = Bell(hub, lambda: rung.append(len(rung)))
    try:
        hub.turn()
        assert rung == []
        for round_number in range(2):
            thread = threading.Thread(target=ring_thrice, args=(bell,))
            thread.start()
            thread.join()
            with trio.fail_after(PATIENCE_S):
                await trio.lowlevel.wait_readable(hub.sockets.descriptor() or 0)
            hub.turn()
            hub.turn()
            assert len(rung) == round_number + 1
    finally:
        bell.close()
        hub.close()
        simulated.close()
