"""Watches a page while a test uses it: whatever a person would not want to happen behind their back fails the test."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Error, Page, Request, Response

# What Chromium writes of an answer that is one: a form that was refused, a page that is not there.
_REFUSED = re.compile(r"Failed to load resource: the server responded with a status of (4\d\d)")
_OURS = ("data:", "blob:", "about:")


@dataclass
class Watch:
    """What went wrong on the pages of one context; ``allowed`` are patterns of what a test expects to go wrong."""

    address: str
    faults: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        """Watch every page of *context*, those that it opens later too."""
        context.on("page", self._watch)
        context.on("request", self._request)
        context.on("response", self._response)
        context.on("console", self._console)
        context.on("dialog", self._dialog)
        context.on("weberror", lambda error: self._found(f"script failed: {error.error}"))

    def allow(self, *patterns: str) -> None:
        """Let faults through that match one of *patterns*: what the test is about."""
        self.allowed += patterns

    def left(self) -> list[str]:
        """Return what went wrong and was not allowed."""
        return [fault for fault in self.faults if not any(re.search(pattern, fault) for pattern in self.allowed)]

    def check(self) -> None:
        """Raise `AssertionError` with everything that went wrong."""
        assert not self.left(), "on the pages of this test:\n" + bulleted(self.left())

    def _watch(self, page: Page) -> None:
        page.on("crash", lambda _: self._found("the page crashed"))

    def _found(self, fault: str) -> None:
        if fault not in self.faults:
            self.faults.append(fault)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning", "assert"}:
            return
        # That an answer was 4xx is seen at the answer itself.
        if not _REFUSED.match(message.text):
            self._found(f"console {message.type}: {message.text}")

    def _dialog(self, dialog: Dialog) -> None:
        self._found(f"dialog {dialog.type}: {dialog.message}")
        try:
            dialog.dismiss()
        except Error:  # the page that asked is gone
            return

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.address + "/", *_OURS)):
            self._found(f"request to another origin: {request.url[:200]}")

    def _response(self, response: Response) -> None:
        path = response.url.removeprefix(self.address)
        if response.status >= 500:
            self._found(f"status {response.status}: {response.request.method} {path}")
        elif response.status == 404:
            self._found(f"status 404: {path}")


def bulleted(lines: Iterable[str]) -> str:
    """Return *lines* as a list that a person can read."""
    return "\n".join(f"  - {line}" for line in lines)
