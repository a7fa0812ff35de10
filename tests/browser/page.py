"""A tab in the browser: what it shows, and what somebody would do to it with mouse and keyboard.

What a test waits for is an expression of JavaScript; it is tried in the page until it is true.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from tests.browser.devtools import TIME_LIMIT_S, Browser, DevToolsError

KEYS = {
    "Tab": 9,
    "Enter": 13,
    "Escape": 27,
    "End": 35,
    "Home": 36,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
}
"""Keys that are no letters, by the numbers that browsers know them by."""

CONTROL = 2
SHIFT = 8
"""Modifiers, as Input.dispatchKeyEvent has them."""

POLL_MS = 10

LIFECYCLE = "Page.lifecycleEvent"

VIOLATIONS = """addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
  console.error('CSP', violatedDirective, blockedURI))"""
"""Runs in every page before its own scripts: puts violations of the Content-Security-Policy on the console."""


class Page:
    """One tab.  `complaints` are the errors and warnings on its console."""

    def __init__(self, browser: Browser, session: str) -> None:
        self.browser = browser
        self.session = session
        self._expected: tuple[str, ...] = ()

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        return self.browser.call(method, self.session, **parameters)

    def open(self, url: str) -> None:
        """Go to a URL and wait until it is loaded, scripts included."""

        def navigate() -> None:
            result = self.call("Page.navigate", url=url)
            assert "errorText" not in result, f"{url}: {result['errorText']}"

        self.load_by(navigate)

    def load_by(self, action: Callable[[], None]) -> None:
        """Do what makes the tab go elsewhere, and wait until that is loaded: what is evaluated before is lost.

        A load of what the tab shows now, which may be told as late as this, isn't taken for it: each has its loader.
        """
        frame = self.call("Page.getFrameTree")["frameTree"]["frame"]
        action()
        while True:
            event = self.browser.wait_for_event(self.session, LIFECYCLE)
            is_here = event["frameId"] == frame["id"] and event["loaderId"] != frame["loaderId"]
            if is_here and event["name"] == "load":
                return

    def evaluate(self, expression: str) -> Any:
        """The value of an expression, awaited if it is a promise."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise DevToolsError(f"{expression}: {answer['exceptionDetails']['exception'].get('description')}")
        return answer["result"].get("value")

    def wait_for(self, expression: str, time_limit_s: float = TIME_LIMIT_S) -> Any:
        """The value of an expression, as soon as it is true in JavaScript's sense."""
        limit_ms = round(time_limit_s * 1000)
        found = self.evaluate(
            f"""new Promise((resolve) => {{
              const end = performance.now() + {limit_ms};
              const look = () => {{
                const value = ({expression});
                if (value || performance.now() > end) resolve(value instanceof Node || value);
                else setTimeout(look, {POLL_MS});
              }};
              look();
            }})"""
        )
        if not found:
            raise DevToolsError(f"not within {time_limit_s:g} s: {expression}\nThe page says:\n{self.text()}")
        return found

    def text(self, selector: str = "body") -> str:
        """What an element shows."""
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))

    def wait_for_text(self, selector: str, text: str) -> None:
        """Wait until an element shows this text among other."""
        self.wait_for(f"document.querySelector({json.dumps(selector)})?.innerText.includes({json.dumps(text)})")

    # Mouse and keyboard

    def click(self, selector: str) -> None:
        """Click in the middle of an element, which is scrolled into view before."""
        x, y = self.wait_for(
            f"""(() => {{
              const found = document.querySelector({json.dumps(selector)});
              if (!found?.checkVisibility()) return null;
              found.scrollIntoView({{block: 'nearest'}});
              const box = found.getBoundingClientRect();
              return [box.x + box.width / 2, box.y + box.height / 2];
            }})()"""
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str, modifiers: int = 0) -> None:
        """Press and release a key: a letter, or a name of KEYS."""
        code = KEYS.get(key, 0)
        text = "\r" if key == "Enter" else key if code == 0 else ""
        down: dict[str, object] = {"type": "keyDown" if text else "rawKeyDown", "text": text}
        if modifiers & CONTROL:
            down = {"type": "rawKeyDown"}
        common = {"key": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        self.call("Input.dispatchKeyEvent", **down, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        """Type into what has the focus, in place of what is selected there."""
        self.call("Input.insertText", text=text)

    def fill(self, selector: str, text: str) -> None:
        """Put text into a field in place of what it has."""
        self.evaluate(f"(f => {{ f.focus(); f.select(); }})(document.querySelector({json.dumps(selector)}))")
        if text:
            self.type(text)
        else:
            self.call("Input.dispatchKeyEvent", type="rawKeyDown", key="Delete", windowsVirtualKeyCode=46)

    def focused(self) -> str:
        """The name or id of what has the focus."""
        return str(self.evaluate("document.activeElement.name || document.activeElement.id"))

    # The screen

    def resize(self, width: int, height: int, *, phone: bool = False, scale: float = 1) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=phone
        )

    def prefer(self, **features: str) -> None:
        """Media features, such as prefers_color_scheme="dark"."""
        pairs = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.call("Emulation.setEmulatedMedia", features=pairs)

    def screenshot(self) -> bytes:
        """What is in the window, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def complaints(self) -> list[str]:
        """Errors and warnings on the console, violations of the Content-Security-Policy among them.

        That something is not found is none where it was found before: what a page looks at again and again may end
        while it looks, and the browser writes a line for the answer that says so.
        """
        self.evaluate("0")
        found = []
        there = set()
        for session, name, parameters in self.browser.events:
            if session != self.session:
                continue
            if name == "Runtime.exceptionThrown":
                found.append(str(parameters["exceptionDetails"]))
            elif name == "Network.responseReceived" and parameters["response"]["status"] < 300:
                there.add(_without_query(parameters["response"]["url"]))
            elif name == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
                text, url = parameters["entry"]["text"], parameters["entry"].get("url", "")
                if " 404 " not in text or not _is_below(_without_query(url), there):
                    found.append(f"{text} {url}")
            elif name == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
                found.append(str([each.get("value", each.get("description")) for each in parameters["args"]]))
        return [each for each in found if not any(part in each for part in self._expected)]

    def expect(self, *parts: str) -> None:
        """Complaints that contain one of these are none: the browser writes one for each connection that fails."""
        self._expected += parts


def _is_below(url: str, there: Collection[str]) -> bool:
    """Whether it is one of these, or belongs to one."""
    return any(url == each or url.startswith(f"{each}/") for each in there)


def _without_query(url: str) -> str:
    return url.split("?", 1)[0]


@contextmanager
def new_page(browser: Browser) -> Iterator[Page]:
    """A tab in a context of its own, closed at the end."""
    context = browser.call("Target.createBrowserContext")["browserContextId"]
    try:
        target = browser.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(browser, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.call("Page.setLifecycleEventsEnabled", enabled=True)
        page.call("Page.addScriptToEvaluateOnNewDocument", source=VIOLATIONS)
        page.resize(1280, 860)
        yield page
        browser.events = [event for event in browser.events if event[0] != session]
    finally:
        browser.call("Target.disposeBrowserContext", browserContextId=context)
