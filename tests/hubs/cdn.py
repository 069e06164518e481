"""The storage host that both hubs redirect to: another origin, signed addresses that expire, and no
patience with a token that strays here."""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from tests.hubs import delivery, faults
from tests.hubs.content import Content
from tests.hubs.messages import Refused, Request, Response, text

SIGNING_KEY = b"the storage's own secret"
LIFETIME_S = 3600


@dataclass(frozen=True)
class Stored:
    """An object. `subject` is the file it holds, for the log and the patterns of faults."""

    content: Content
    subject: str
    etag: str
    file_name: str = ""
    attachment: bool = False
    allows_head: bool = True


class Storage:
    """`lifetime_s`: how long a signature holds. `max_uses`: how many requests one signed address
    is good for (None: any number)."""

    name = "cdn"

    def __init__(self, base: Callable[[], str], clock: Callable[[], float] = time.time) -> None:
        self._base = base
        self._clock = clock
        self._objects: dict[str, Stored] = {}
        self._uses: Counter[str] = Counter()
        self._issued = 0
        self._oldest_valid = 0
        self._lock = threading.Lock()
        self.lifetime_s: float = LIFETIME_S
        self.max_uses: int | None = None

    def put(self, path: str, stored: Stored) -> str:
        """Keep an object; its path, quoted."""
        self._objects[path] = stored
        return quote(path)

    def signed(self, path: str) -> str:
        """An address that works for a while, another one each time."""
        with self._lock:
            self._issued += 1
            number = self._issued
        query = {
            "response-content-disposition": self._disposition(self._objects[path]),
            "Expires": str(int(self._clock() + self.lifetime_s)),
            "Policy": f"{number:08d}",
            "Key-Pair-Id": "KTESTS",
        }
        query["Signature"] = _signature(path, query["Expires"], query["Policy"])
        return f"{self._base()}{quote(path)}?{urlencode(query)}"

    def expire_all(self) -> None:
        """Every address handed out so far is over."""
        with self._lock:
            self._oldest_valid = self._issued + 1

    def subject(self, request: Request) -> str:
        stored = self._objects.get(request.path)
        return stored.subject if stored else ""

    def delivers(self, request: Request) -> bool:
        return True

    def answer(self, request: Request) -> Response:
        if request.header("authorization") is not None:
            return text("Only one auth mechanism allowed", 400, "application/xml")
        self._check(request)
        stored = self._objects.get(request.path)
        if stored is None:
            return text("<Error><Code>NoSuchKey</Code></Error>", 404, "application/xml")
        if request.method not in ("GET", "HEAD"):
            return text("", 405, allow="GET, HEAD")
        if request.method == "HEAD" and not stored.allows_head:
            return faults.expired()
        disposition = self._disposition(stored)
        return delivery.deliver(
            request, stored.content, stored.etag, content_disposition=disposition
        )

    def _check(self, request: Request) -> None:
        expires, policy = request.query("Expires"), request.query("Policy")
        expected = _signature(request.path, expires, policy)
        if not hmac.compare_digest(request.query("Signature").encode(), expected.encode()):
            raise Refused(text("<Error><Code>SignatureDoesNotMatch</Code></Error>", 403))
        with self._lock:
            self._uses[policy] += 1
            used_up = self.max_uses is not None and self._uses[policy] > self.max_uses
            old = int(policy) < self._oldest_valid or float(expires) < self._clock()
        if used_up or old:
            raise Refused(faults.expired())

    def _disposition(self, stored: Stored) -> str:
        how = "attachment" if stored.attachment else "inline"
        return content_disposition(how, stored.file_name)


def _signature(path: str, expires: str, policy: str) -> str:
    words = f"{path}\n{expires}\n{policy}".encode()
    return hmac.new(SIGNING_KEY, words, hashlib.sha256).hexdigest()


def content_disposition(how: str, file_name: str) -> str:
    """Both forms of the name, as the hubs send them: RFC 5987 and the plain one in ASCII."""
    plain = "".join(c if " " <= c <= "~" and c not in '"\\' else "_" for c in file_name)
    return f"{how}; filename*=UTF-8''{quote(file_name, safe='')}; filename=\"{plain}\";"
