"""Resource alarms: reasons, and who hears of changes."""

from __future__ import annotations

from warren.core.alarms import Alarms


def test_reasons_are_joined_in_one_order() -> None:
    alarms = Alarms()
    assert alarms.blocked is None
    assert alarms.set("disk", True)
    assert alarms.blocked == "low on disk"
    assert alarms.set("memory", True)
    assert alarms.blocked == "low on memory & low on disk"
    assert alarms.raised() == ["disk", "memory"]
    assert alarms.set("disk", False)
    assert alarms.blocked == "low on memory"


def test_listeners_hear_only_of_getting_blocked_and_free() -> None:
    alarms = Alarms()
    heard: list[str | None] = []
    listener = lambda: heard.append(alarms.blocked)  # noqa: E731
    alarms.listen(listener)
    alarms.set("memory", True)
    alarms.set("disk", True)
    assert not alarms.set("disk", True)
    alarms.set("memory", False)
    alarms.set("disk", False)
    assert not alarms.set("disk", False)
    assert heard == ["low on memory", None]
    alarms.unlisten(listener)
    alarms.unlisten(listener)
    alarms.set("memory", True)
    assert len(heard) == 2


def test_a_listener_may_leave_while_it_is_called() -> None:
    alarms = Alarms()
    heard: list[int] = []

    def first() -> None:
        heard.append(1)
        alarms.unlisten(first)

    alarms.listen(first)
    alarms.listen(lambda: heard.append(2))
    alarms.set("memory", True)
    alarms.set("memory", False)
    assert heard == [1, 2, 2]
