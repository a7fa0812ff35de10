"""Users, virtual hosts, policies, limits, definitions, shovels, federation, plugins."""

from __future__ import annotations

import json

from tests.browser.management.operating import (
    Api,
    button,
    choose,
    click,
    confirm,
    enter,
    fill,
    press,
    submit,
    wait_for_row,
)
from tests.browser.page import Page


def in_row(text: str, button: str, within: str = "#main") -> str:
    """JavaScript: the button of a row."""
    rows = f"[...document.querySelectorAll('{within} tbody tr')]"
    row = f"{rows}.find(each => each.innerText.includes({json.dumps(text)}))"
    return f"[...({row})?.querySelectorAll('button') ?? []].find(each => each.textContent === {json.dumps(button)})"


def test_a_user_from_beginning_to_end(page: Page, api: Api, name: str) -> None:
    enter(page, "users")
    press(page, "Add a user")
    fill(page, "name", name)
    fill(page, "password", "secret")
    page.click("dialog [name=monitoring]")
    choose(page, "dialog [name=enters]", "/")
    submit(page)
    assert "monitoring" in wait_for_row(page, name)
    assert api.get(f"/users/{name}")["tags"] == ["monitoring"]
    assert api.get(f"/permissions/%2F/{name}")["configure"] == ".*"
    enter(page, "users", name)
    click(page, in_row("/", "Change"))
    fill(page, "configure", "^own")
    submit(page)
    page.wait_for_text("#main", "^own")
    assert api.get(f"/permissions/%2F/{name}")["configure"] == "^own"
    press(page, "Add topic permissions")
    fill(page, "write", "^a")
    submit(page)
    assert "^a" in wait_for_row(page, "amq.topic")
    press(page, "Change limits")
    fill(page, "max-connections", "7")
    submit(page)
    page.wait_for_text("#main", "max-connections: 7")
    press(page, "Change limits")
    fill(page, "max-connections", "")
    submit(page)
    page.wait_for_text("#main", "max-connections: no limit")
    press(page, "Change tags")
    page.click("dialog [name=policymaker]")
    submit(page)
    page.wait_for_text("#main .heading", "policymaker")
    assert sorted(api.get(f"/users/{name}")["tags"]) == ["monitoring", "policymaker"]
    before = api.get(f"/users/{name}")["password_hash"]
    press(page, "Change password")
    fill(page, "password", "other")
    fill(page, "again", "another")
    click(page, "document.querySelector('dialog .form-buttons [type=submit]')")
    page.wait_for_text("dialog .form-error", "not the same")
    fill(page, "again", "other")
    submit(page)
    page.wait_for_text("#toasts", "The password is changed.")
    assert api.get(f"/users/{name}")["password_hash"] != before
    press(page, "Delete")
    confirm(page, "Delete")
    page.wait_for_text("#main h1", "Users")
    assert name not in [each["name"] for each in api.get("/users")]


def test_the_last_administrator_is_kept(page: Page, api: Api) -> None:
    page.expect("400")
    for user in api.get("/users"):
        if "administrator" in user["tags"] and user["name"] != "guest":
            api.ask("DELETE", f"/users/{user['name']}")
    enter(page, "users", "guest")
    press(page, "Delete")
    press(page, "Delete", "dialog")
    page.wait_for_text("dialog .form-error", "administrator")
    page.press("Escape")
    page.wait_for_text("#main h1", "guest")


def test_a_virtual_host_from_beginning_to_end(page: Page, api: Api, name: str) -> None:
    enter(page, "vhosts")
    press(page, "Add a virtual host")
    fill(page, "name", name)
    fill(page, "description", "for a test")
    choose(page, "dialog [name=type]", "quorum")
    submit(page)
    assert "for a test" in wait_for_row(page, name)
    enter(page, "vhosts", "/")
    press(page, "Change")
    fill(page, "description", "the first")
    submit(page)
    page.wait_for_text("#main .facts", "the first")
    assert api.get("/vhosts/%2F")["default_queue_type"] is None, "what isn't set stays so"
    assert api.get(f"/vhosts/{name}")["default_queue_type"] == "quorum"
    choose(page, "#vhost", name)
    enter(page, "exchanges")
    page.wait_for("document.querySelectorAll('#main tbody tr').length === 7")
    cells = "[...document.querySelectorAll('#main tbody td:nth-child(2)')]"
    assert page.evaluate(f"{cells}.every(each => each.innerText === '{name}')") is True
    choose(page, "#vhost", "")
    enter(page, "vhosts", name)
    press(page, "Change limits")
    fill(page, "max-queues", "2")
    submit(page)
    page.wait_for_text("#main", "max-queues: 2")
    enter(page, "limits")
    assert "2" in wait_for_row(page, name)
    enter(page, "vhosts", name)
    press(page, "Change")
    fill(page, "tags", "green, warm")
    submit(page)
    page.wait_for_text("#main .heading", "warm")
    press(page, "Protect from deletion")
    page.wait_for(button("Allow deletion"))
    page.wait_for_text("#main .facts", "protected")
    page.expect("412")
    press(page, "Delete")
    press(page, "Delete", "dialog")
    page.wait_for_text("dialog .form-error", "protected from deletion")
    page.press("Escape")
    press(page, "Allow deletion")
    page.wait_for(button("Protect from deletion"))
    press(page, "Change")
    page.click("dialog [name=isProtected]")
    submit(page)
    enter(page, "vhosts")
    assert "protected" in wait_for_row(page, name)
    enter(page, "vhosts", name)
    press(page, "Allow deletion")
    page.wait_for(button("Protect from deletion"))
    press(page, "Delete")
    confirm(page, "Delete")
    page.wait_for_text("#main h1", "Virtual hosts")
    assert name not in [each["name"] for each in api.get("/vhosts")]


def test_policies(page: Page, api: Api, name: str) -> None:
    api.put(f"/queues/%2F/{name}")
    enter(page, "policies")
    press(page, "Add a policy")
    fill(page, "name", name)
    fill(page, "pattern", f"^{name}$")
    choose(page, "dialog [name=applies]", "queues")
    press(page, "max-length", "dialog")
    page.type("5")
    submit(page)
    assert "max-length" in wait_for_row(page, name)
    assert api.get(f"/queues/%2F/{name}")["policy"] == name
    click(page, in_row(name, "Change"))
    fill(page, "priority", "3")
    submit(page)
    page.wait_for_text("#toasts", "is saved")
    assert api.get(f"/policies/%2F/{name}")["priority"] == 3
    assert api.get(f"/policies/%2F/{name}")["definition"] == {"max-length": 5}
    press(page, "Operator policies")
    press(page, "Add an operator policy")
    fill(page, "name", f"{name}-o")
    fill(page, "pattern", f"^{name}$")
    press(page, "message-ttl", "dialog")
    page.type("1000")
    submit(page)
    wait_for_row(page, f"{name}-o", "#panel-operator-policies")
    assert api.get(f"/queues/%2F/{name}")["operator_policy"] == f"{name}-o"
    click(page, in_row(f"{name}-o", "Delete", "#panel-operator-policies"))
    confirm(page, "Delete")
    page.wait_for_text("#toasts", "Deleted")
    assert api.get("/operator-policies") == []


def test_definitions_go_out_and_in(page: Page, api: Api, name: str) -> None:
    page.expect("400")
    api.put(f"/queues/%2F/{name}")
    enter(page, "definitions")
    page.call("Browser.setDownloadBehavior", behavior="deny")
    click(page, "document.querySelector('#main form [type=submit]')")
    page.wait_for_text("#main .form-done", "Exported: ")
    assert "queues" in page.text("#main .form-done")
    fill(page, "text", json.dumps({"queues": [{"name": f"{name}-in", "vhost": "/", "durable": True}]}), "#main")
    press(page, "Import")
    page.wait_for("document.querySelectorAll('#main .form-done')[1].innerText.includes('1 queues')")
    assert f"{name}-in" in [each["name"] for each in api.get("/queues/%2F")]
    fill(page, "text", "{", "#main")
    press(page, "Import")
    page.wait_for("document.querySelectorAll('#main .form-error')[1].innerText.includes('no JSON')")
    fill(page, "text", '{"queues": [{"name": 1}]}', "#main")
    press(page, "Import")
    page.wait_for("!document.querySelectorAll('#main .form-error')[1].innerText.includes('no JSON')")
    page.wait_for("document.querySelectorAll('#main .form-error')[1].innerText")


def test_a_shovel_from_beginning_to_end(page: Page, api: Api, name: str) -> None:
    for end in ("from", "to"):
        api.put(f"/queues/%2F/{name}-{end}", {"durable": True})
    for _ in range(3):
        api.publish("", f"{name}-from", "x")
    enter(page, "shovels", query="?tab=manage")
    press(page, "Add a shovel")
    fill(page, "name", name)
    fill(page, "src", f"{name}-from")
    fill(page, "dest", f"{name}-to")
    submit(page)
    wait_for_row(page, name, "#panel-manage")
    press(page, "Status")
    page.wait_for(f"{in_row(name, 'Delete', '#panel-status')}?.checkVisibility()")
    choose(page, "#refresh", "2000")
    row = f"[...document.querySelectorAll('#panel-status tbody tr')].find(e => e.innerText.includes('{name}'))"
    page.wait_for(f"/running[^]*\\t3\\t/.test({row}?.innerText)")
    assert api.get(f"/queues/%2F/{name}-to")["messages"] == 3
    click(page, in_row(name, "Restart", "#panel-status"))
    page.wait_for_text("#toasts", f"Restarted: shovel {name}.")
    api.publish("", f"{name}-from", "x")
    page.wait_for(f"/running[^]*\\t[14]\\t/.test({row}?.innerText)")
    assert api.get(f"/queues/%2F/{name}-to")["messages"] == 4
    click(page, in_row(name, "Delete", "#panel-status"))
    confirm(page, "Delete")
    page.wait_for(f"!({row})")
    assert api.get("/parameters/shovel") == []


def test_an_upstream_and_its_link(page: Page, api: Api, name: str) -> None:
    enter(page, "federation", query="?tab=upstreams")
    press(page, "Add an upstream")
    fill(page, "name", name)
    fill(page, "uri", "amqp://somebody:hidden@127.0.0.1:1")
    submit(page)
    row = wait_for_row(page, name, "#panel-upstreams")
    assert "hidden" not in row
    assert "somebody" in row
    api.put(f"/exchanges/%2F/{name}", {"type": "fanout"})
    policy = {"pattern": f"^{name}$", "definition": {"federation-upstream": name}, "apply-to": "exchanges"}
    api.put(f"/policies/%2F/{name}", policy)
    choose(page, "#refresh", "2000")
    press(page, "Links")
    page.wait_for_text("#panel-status", "be reached: Connection refused")
    click(page, in_row(name, "Restart", "#panel-status"))
    page.wait_for_text("#toasts", f"Restarted: the link to {name}.")
    press(page, "Upstreams")
    click(page, in_row(name, "Change", "#panel-upstreams"))
    fill(page, "hops", "2")
    submit(page)
    page.wait_for_text("#panel-upstreams", "max-hops")
    value = api.get(f"/parameters/federation-upstream/%2F/{name}")["value"]
    assert value["uri"] == "amqp://somebody:hidden@127.0.0.1:1"
    assert value["max-hops"] == 2
    api.ask("DELETE", f"/policies/%2F/{name}")
    click(page, in_row(name, "Delete", "#panel-upstreams"))
    confirm(page, "Delete")
    page.wait_for_text("#panel-upstreams", "There are no upstreams.")


def test_an_upstream_set_from_beginning_to_end(page: Page, api: Api, name: str) -> None:
    for upstream in ("north", "south"):
        api.put(f"/parameters/federation-upstream/%2F/{upstream}", {"value": {"uri": "amqp://127.0.0.1:1"}})
    address = f"/parameters/federation-upstream-set/%2F/{name}"
    enter(page, "federation", query="?tab=sets")
    press(page, "Add an upstream set")
    fill(page, "name", name)
    fill(page, "set", 'north\n{"upstream": "south"')
    click(page, "document.querySelector('dialog .form-buttons [type=submit]')")
    page.wait_for_text("dialog .form-error", "This line is no JSON")
    fill(page, "set", 'north\n{"upstream": "south", "exchange": "other"}')
    submit(page)
    row = wait_for_row(page, name, "#panel-sets")
    assert "south exchange other" in row
    assert page.text("#panel-sets .count") == "1"
    assert api.get(address)["value"] == [{"upstream": "north"}, {"upstream": "south", "exchange": "other"}]
    click(page, in_row(name, "Change", "#panel-sets"))
    given = page.evaluate("document.querySelector('dialog [name=set]').value")
    assert given == 'north\n{"upstream":"south","exchange":"other"}'
    fill(page, "set", "south")
    submit(page)
    page.wait_for(f"!{json.dumps('north')}.includes(document.querySelector('#panel-sets tbody li').innerText)")
    assert api.get(address)["value"] == [{"upstream": "south"}]
    click(page, in_row(name, "Delete", "#panel-sets"))
    confirm(page, "Delete")
    page.wait_for_text("#panel-sets", "There are no upstream sets.")
    for upstream in ("north", "south"):
        api.ask("DELETE", f"/parameters/federation-upstream/%2F/{upstream}")


def test_plugins(page: Page) -> None:
    enter(page, "plugins")
    for plugin in ("management", "shovel", "federation"):
        assert "running" in wait_for_row(page, plugin)
    page.wait_for_text("#main", "Feature flags")
    page.wait_for_text("#main [aria-label='Deprecated features']", "There are none")
