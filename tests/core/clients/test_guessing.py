"""Logins that fail again and again are refused unseen: by user and address, by address, by user."""

from __future__ import annotations

import pytest

from tests.support.simulated_broker import SimulatedBroker
from warren.core.access import passwords
from warren.core.access.accounts import LoginRefused
from warren.core.clients.guessing import REMEMBERED_MAX, Guessing, network_of

ADDRESS = "192.0.2.7"


class Clock:
    now_ms = 1_000_000


def make(failures_max: int = 3) -> tuple[Guessing, Clock]:
    clock = Clock()
    return Guessing(failures_max, lambda: clock.now_ms, SimulatedBroker().broker.limit_hits), clock


def fail(guessing: Guessing, user: str, address: str, times: int) -> None:
    for _ in range(times):
        guessing.tried(user, address, succeeded=False)


def test_one_user_from_one_address() -> None:
    guessing, clock = make()
    fail(guessing, "ada", ADDRESS, 2)
    assert not guessing.refuses("ada", ADDRESS)
    fail(guessing, "ada", ADDRESS, 1)
    assert guessing.refuses("ada", ADDRESS) == "too many logins of user 'ada' from 192.0.2.7 have failed"
    assert not guessing.refuses("bob", ADDRESS)
    assert not guessing.refuses("ada", "192.0.2.8")
    clock.now_ms += 60_000
    assert not guessing.refuses("ada", ADDRESS)


def test_who_goes_on_trying_waits_a_minute_and_no_longer() -> None:
    guessing, clock = make()
    fail(guessing, "ada", ADDRESS, 1000)
    assert guessing.refuses("ada", ADDRESS)
    clock.now_ms += 60_000
    assert not guessing.refuses("ada", ADDRESS)


def test_any_users_from_one_address() -> None:
    guessing, _ = make()
    for number in range(30):
        fail(guessing, f"user {number}", ADDRESS, 1)
    assert guessing.refuses("ada", ADDRESS) == "too many logins from 192.0.2.7 have failed"
    assert not guessing.refuses("ada", "192.0.2.8")


def test_one_user_from_any_address() -> None:
    guessing, _ = make()
    for number in range(30):
        fail(guessing, "ada", f"192.0.2.{number}", 1)
    assert guessing.refuses("ada", "198.51.100.1") == "too many logins of user 'ada' have failed"
    assert not guessing.refuses("bob", "198.51.100.1")


def test_nobody_is_locked_out_where_they_have_logged_in() -> None:
    guessing, _ = make()
    guessing.tried("ada", ADDRESS, succeeded=True)
    for number in range(100):
        fail(guessing, "ada", f"192.0.2.{number + 10}", 1)
        fail(guessing, f"user {number}", ADDRESS, 1)
    assert not guessing.refuses("ada", ADDRESS)
    assert guessing.refuses("ada", "198.51.100.1")
    fail(guessing, "ada", ADDRESS, 3)
    assert guessing.refuses("ada", ADDRESS), "but not for any number of wrong passwords"


def test_a_proxy_on_this_machine_doesnt_stand_for_one_who_guesses() -> None:
    guessing, _ = make()
    for number in range(100):
        fail(guessing, f"user {number}", "127.0.0.1", 1)
    assert not guessing.refuses("ada", "127.0.0.1")
    fail(guessing, "ada", "127.0.0.1", 3)
    assert guessing.refuses("ada", "127.0.0.1")


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::1"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
        ("unknown", "unknown"),
        ("no:address", "no:address"),
    ],
)
def test_addresses(host: str, network: str) -> None:
    assert network_of(host) == network


def test_what_is_remembered_is_bounded() -> None:
    guessing, _ = make()
    fail(guessing, "first", ADDRESS, 3)
    for number in range(REMEMBERED_MAX):
        fail(guessing, f"user {number}", f"host {number}", 1)
        guessing.tried(f"user {number}", f"host {number}", succeeded=True)
    assert not guessing.refuses("first", ADDRESS)
    assert len(guessing._known) == REMEMBERED_MAX
    assert len(guessing._by_both._counts) == REMEMBERED_MAX


def test_none() -> None:
    guessing, _ = make(0)
    fail(guessing, "ada", ADDRESS, 100)
    assert not guessing.refuses("ada", ADDRESS)
    guessing.failures_max = 1
    fail(guessing, "ada", ADDRESS, 1)
    assert guessing.refuses("ada", ADDRESS)


def test_the_password_isnt_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the right one either, or who guesses would be told which it is; nothing is hashed for it."""
    broker = SimulatedBroker().broker
    broker.guessing.failures_max = 2
    fail(broker.guessing, "guest", ADDRESS, 2)

    def hashed(*_: object) -> bool:
        raise AssertionError("a password was hashed")

    monkeypatch.setattr(passwords, "verify", hashed)
    with pytest.raises(LoginRefused, match=r".*") as refused:
        broker.users.log_in("guest", "guest", is_loopback=False, mechanism="PLAIN", peer_host=ADDRESS)
    assert "too many logins of user 'guest' from 192.0.2.7 have failed" in refused.value.reason
    assert broker.limit_hits.of("failed_logins_per_minute_max") == 1
    broker.users.log_in("guest", None, is_loopback=True, mechanism="EXTERNAL", peer_host=ADDRESS)


def test_as_much_is_hashed_for_names_that_are_there_as_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the time it takes doesn't tell which names exist; counted, as time says little on a busy machine."""
    broker = SimulatedBroker().broker
    broker.users.add_user("ada", "secret")
    broker.users.add_user("none", "secret")
    broker.users.clear_password("none")
    counted: list[int] = []
    real = passwords._sha256

    def counting(data: bytes) -> bytes:
        counted.append(len(data))
        return real(data)

    monkeypatch.setitem(passwords._ALGORITHMS, passwords.SHA256, counting)
    seen = {}
    for name in ("ada", "none", "nobody", "guest"):
        counted.clear()
        with pytest.raises(LoginRefused):
            broker.users.log_in(name, "wrong", is_loopback=True, mechanism="PLAIN", peer_host="127.0.0.1")
        seen[name] = list(counted)
    assert set(map(tuple, seen.values())) == {(passwords.SALT_BYTES + len("wrong"),)}
