"""A visitor who follows every link and presses every button of the pages that the server draws.

Of addresses that differ only in their ids or in the values of their query, a few of each shape are
visited. What a press changes is rolled back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

from django.contrib.messages import get_messages
from django.db import transaction
from django.test import Client
from django.test.client import RedirectCycleError
from django.urls import Resolver404, resolve

ROOMS = ("/admin/", "/app/")  # their pages are read; of others it is enough that they are there
REFUSED = (400, 403, 404, 405, 500)
SIGN_INS = ("/admin/login/", "/app/sign-in")
TOLD = ("need the permission", "needs the permission", "are for staff", "not allowed")
NOT_SENT = ("csrfmiddlewaretoken", "_selected_action")  # the client of tests needs no token
# What a page offers depends on the state of the thing it is about.
OF_EACH_VIEW = 2
OF_SOME_VIEWS = {"jobs_job_change": 8, "registry_model_change": 5, "downloader_repo_change": 3}

Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Press:
    """One button of one form."""

    page: str
    action: str
    method: str
    fields: Fields

    def __str__(self) -> str:
        told = "&".join(f"{name}={value[:40]}" for name, value in self.fields)
        return f"{self.method} {self.action} [{told}] on {self.page}"


@dataclass
class Form:
    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    choices: list[tuple[str, str]] = field(default_factory=list)  # of a select named `action`


class Reader(HTMLParser):
    """The links and forms of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[Form] = []
        self._named: dict[str, Form] = {}
        self._open: Form | None = None
        self._select = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in of:
            self.links.append(of["href"])
        elif tag == "form":
            self._begin(of)
        elif tag == "select":
            self._select = of.get("name", "")
        elif form := self._named.get(of.get("form", ""), self._open):
            self._take(form, tag, of)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "select":
            self._select = ""

    def _begin(self, of: Mapping[str, str]) -> None:
        self._open = Form(of.get("action", ""), of.get("method", "get").lower())
        self.forms.append(self._open)
        if "id" in of:
            self._named[of["id"]] = self._open

    def _take(self, form: Form, tag: str, of: Mapping[str, str]) -> None:
        named, kind = (of.get("name", ""), of.get("value", "")), of.get("type", "")
        if tag == "option" and self._select == "action" and of.get("value"):
            form.choices.append(("action", of["value"]))
        elif (tag == "button" and kind in ("", "submit")) or kind == "submit":
            form.buttons.append(named)
        elif kind == "hidden" or (kind == "checkbox" and named[0] == "_selected_action"):
            form.fields.append(named)


@dataclass
class Crawl:
    browser: Client
    pages: list[str] = field(default_factory=list)
    presses: list[Press] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    _visits: Counter[tuple[str, ...]] = field(default_factory=Counter)
    _pressings: Counter[tuple[Any, ...]] = field(default_factory=Counter)

    def look(self, fronts: Sequence[str]) -> None:
        """Every page that links lead to."""
        waiting = [(front, "") for front in fronts]
        while waiting:
            address, came_from = waiting.pop()
            if self._is_new(address):
                found = self._visited(address, came_from)
                waiting += [(link, address) for link in found]

    def press(self) -> None:
        """Every button of the pages that were looked at, each on the same data."""
        cookies = self.browser.cookies.copy()
        for press in self.presses:
            with transaction.atomic():
                self._pressed(press)
                transaction.set_rollback(True)
            self.browser.cookies.clear()
            self.browser.cookies.update(cookies)

    def _is_new(self, address: str) -> bool:
        """Whether it is one of the first of its view; of those with a query, one is enough."""
        parts = urlsplit(address)
        view = _view(parts.path)
        shape, most = ((view, "?"), 1) if parts.query else ((view,), _most(view))
        is_new = not self._visits[(address,)] and self._visits[shape] < most
        self._visits.update([(address,), shape] if is_new else [])
        return is_new

    def _would_press(self, press: Press) -> bool:
        """A few of each button of each view; once what every page has."""
        views = _view(urlsplit(press.page).path), _view(urlsplit(press.action).path)
        everywhere = press.method == "get" or "logout" in press.action
        shape = views[1:] if everywhere else (*views, press.fields[-1:])
        self._pressings[shape] += 1
        return self._pressings[shape] <= (1 if everywhere else _most(views[0]))

    def _visited(self, address: str, came_from: str) -> list[str]:
        what = f"GET {address} from {came_from or 'the front'}"
        try:
            answer = self.browser.get(address, follow=True)
        except RedirectCycleError as error:
            self.problems.append(f"leads round in a circle: {what}: {error.redirect_chain}")
            return []
        self._judge(answer, what)
        self.pages.append(address)
        is_read = answer.get("Content-Type", "").startswith("text/html")
        text = b"".join(answer) if answer.streaming else answer.content
        at = answer.request["PATH_INFO"]
        if not (is_read and at.startswith(ROOMS)):
            return []
        page = Reader(text.decode())
        here = address if at == urlsplit(address).path else at
        self.presses += filter(self._would_press, _presses(page, here))
        return [found for link in page.links if (found := _ours(at, link))]

    def _pressed(self, press: Press) -> None:
        call = self.browser.post if press.method == "post" else self.browser.get
        data: dict[str, list[str]] = {}
        for name, value in press.fields:
            data.setdefault(name, []).append(value)
        answer = call(press.action, data)
        self._judge(answer, str(press))
        for message in get_messages(answer.wsgi_request):
            if any(words in str(message) for words in TOLD):
                self.problems.append(f"{press}: {message}")

    def _judge(self, answer: Any, what: str) -> None:
        if answer.status_code in REFUSED:
            self.problems.append(f"{answer.status_code}: {what}")
        elif self._signs_in_again(answer):
            self.problems.append(f"asks to sign in: {what}")

    def _signs_in_again(self, answer: Any) -> bool:
        at = answer.get("Location", "") or answer.request["PATH_INFO"]
        return urlsplit(at).path in SIGN_INS and "sign-out" not in answer.request["PATH_INFO"]


def _ours(at: str, link: str) -> str:
    """The link as an address of this site; nothing for one that leads elsewhere or nowhere."""
    address = urldefrag(urljoin(f"http://testserver{at}", link)).url
    parts = urlsplit(address)
    if parts.scheme != "http" or parts.netloc != "testserver" or link.startswith("#"):
        return ""
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _view(path: str) -> str:
    try:
        return resolve(path).view_name or path
    except Resolver404:
        return path


def _most(view: str) -> int:
    return OF_SOME_VIEWS.get(view.removeprefix("admin:"), OF_EACH_VIEW)


def _presses(page: Reader, at: str) -> Iterator[Press]:
    for form in page.forms:
        action = urljoin(at, form.action) if form.action else at
        rows = [named for named in form.fields if named[0] == "_selected_action"]
        hidden = [named for named in form.fields if named[0] not in NOT_SENT]
        for chosen in form.choices:
            yield Press(at, action, form.method, (*hidden, *rows[:1], chosen))
        lonely = form.method == "get" or form.choices  # Enter sends these
        for button in form.buttons or ([("", "")] if lonely else []):
            pressed = [button] if button[0] else []
            yield Press(at, action, form.method, (*hidden, *pressed))
