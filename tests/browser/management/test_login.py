"""Who may enter, what is said to those who may not, and what each sees."""

from __future__ import annotations

import pytest

from tests.browser.management.operating import Api, enter, log_in, room_address
from tests.browser.page import Page

ROOMS = "[...document.querySelectorAll('#rooms a')].map(each => each.innerText)"


def test_a_wrong_password_is_told_in_words(tab: Page, api: Api) -> None:
    tab.expect("401")
    tab.open(api.base)
    tab.wait_for("!document.querySelector('#gate').hidden")
    tab.fill("#login [name=user]", "guest")
    tab.fill("#login [name=password]", "wrong")
    tab.press("Enter")
    tab.wait_for_text("#login-error", "no such user with this password")
    assert tab.evaluate("document.querySelector('#shell').hidden") is True
    tab.fill("#login [name=password]", "guest")
    tab.press("Enter")
    tab.wait_for("!document.querySelector('#shell').hidden")
    assert tab.text("#who") == "guest"


def test_without_a_name(tab: Page, api: Api) -> None:
    tab.open(api.base)
    tab.click("#log-in")
    tab.wait_for_text("#login-error", "name is missing")
    assert tab.focused() == "user"


def test_a_user_without_a_tag_is_told_what_is_missing(tab: Page, api: Api, name: str) -> None:
    tab.expect("401")
    api.put(f"/users/{name}", {"password": "secret", "tags": ""})
    tab.open(api.base)
    tab.wait_for("!document.querySelector('#gate').hidden")
    tab.fill("#login [name=user]", name)
    tab.fill("#login [name=password]", "secret")
    tab.press("Enter")
    tab.wait_for_text("#login-error", "has no tag such as management")


def test_the_login_lasts_as_long_as_the_tab(page: Page, api: Api) -> None:
    page.open(f"{api.base}?again#/queues")
    page.wait_for_text("#main h1", "Queues")
    assert page.evaluate("Object.keys(localStorage).some(each => localStorage[each].includes('password'))") is False
    page.click("#log-out")
    page.wait_for("!document.querySelector('#gate').hidden")
    page.open(f"{api.base}?once-more")
    page.wait_for("!document.querySelector('#gate').hidden")


def test_a_deep_link_leads_there_after_the_login(tab: Page, api: Api, name: str) -> None:
    odd = f"{name} / 100%25 <b>ü</b>"
    api.put(f"/queues/%2F/{odd.replace('%', '%25').replace('/', '%2F').replace(' ', '%20').replace('ü', '%C3%BC')}")
    log_in(tab, api.base, "queues", "/", odd)
    tab.wait_for("document.querySelector('#main h1')")
    assert tab.text("#main h1") == odd


MANAGEMENT = [
    "Overview",
    "Connections",
    "Channels",
    "Exchanges",
    "Queues",
    "Virtual hosts",
    "Live tap",
    "WebSocket client",
]


@pytest.mark.parametrize(
    ("tag", "seen", "hidden"),
    [
        ("management", MANAGEMENT, ["Policies", "Users", "Shovels", "Plugins and features", "Definitions"]),
        ("policymaker", [*MANAGEMENT, "Policies"], ["Users", "Shovels", "Definitions"]),
        ("monitoring", [*MANAGEMENT, "Shovels", "Federation", "Plugins and features"], ["Users", "Policies"]),
        ("administrator", [*MANAGEMENT, "Policies", "Users", "Shovels", "Limits", "Definitions"], []),
    ],
)
def test_each_tag_has_its_rooms(tab: Page, api: Api, tag: str, seen: list[str], hidden: list[str]) -> None:
    user = f"user-{tag}"
    api.put(f"/users/{user}", {"password": "secret", "tags": tag})
    api.put(f"/permissions/%2F/{user}", {"configure": ".*", "write": ".*", "read": ".*"})
    log_in(tab, api.base, user=user, password="secret")
    rooms = tab.evaluate(ROOMS)
    assert [each for each in seen if each not in rooms] == []
    assert [each for each in hidden if each in rooms] == []


def test_a_link_to_a_room_that_one_may_not_enter(tab: Page, api: Api, name: str) -> None:
    api.put(f"/users/{name}", {"password": "secret", "tags": "management"})
    log_in(tab, api.base, "users", user=name, password="secret")
    tab.wait_for_text("#main", f"This takes the tag administrator. {name} has management.")


def test_a_login_that_is_taken_away_ends(tab: Page, api: Api, name: str) -> None:
    tab.expect("401")
    api.put(f"/users/{name}", {"password": "secret", "tags": "management"})
    api.put(f"/permissions/%2F/{name}", {"configure": ".*", "write": ".*", "read": ".*"})
    log_in(tab, api.base, "queues", user=name, password="secret")
    api.ask("DELETE", f"/users/{name}")
    tab.evaluate("document.querySelector('#refresh').value = '2000'")
    tab.evaluate("document.querySelector('#refresh').dispatchEvent(new Event('change'))")
    tab.wait_for_text("#login-error", "take this login any more")


def test_no_room_and_nothing_there(page: Page, api: Api, name: str) -> None:
    page.expect("404")
    enter(page, "attic")
    assert page.text("#main h1") == "There is no such room"
    enter(page, "queues", "/", name)
    page.wait_for_text("#main", "Back to the list")
    assert f"no queue '{name}'" in page.text("#main")
    page.click("#main a.button")
    page.wait_for_text("#main h1", "Queues")
    assert page.evaluate("location.href") == room_address(api.base, "queues")
