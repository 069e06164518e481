"""Which proxy a request goes through: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from downloader.library.errors import Refused
from downloader.library.http.addresses import Origin


@dataclass(frozen=True)
class Proxy:
    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)


class Proxies:
    """The choice, made once when the client is built."""

    def __init__(self, urls: Mapping[str, str] | None = None) -> None:
        """`urls` by scheme (`http`, `https`, `all`, and `no` for the exceptions); None: the
        environment's."""
        self._urls = dict(getproxies_environment() if urls is None else urls)

    def choose(self, origin: Origin) -> Proxy | None:
        url = self._urls.get(origin.scheme) or self._urls.get("all")
        if not url or self._spared(origin):
            return None
        return _parse(url)

    def _spared(self, origin: Origin) -> bool:
        return bool(proxy_bypass_environment(f"{origin.host}:{origin.port}", self._urls))


def _parse(url: str) -> Proxy:
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        raise Refused(
            f"The proxy setting names a {parts.scheme} proxy; only http:// proxies are supported "
            "(https downloads pass through them by CONNECT).",
        )
    return Proxy(parts.hostname, parts.port or 8080, _basic(parts.username, parts.password))


def _basic(user: str | None, password: str | None) -> str | None:
    if user is None:
        return None
    pair = f"{unquote(user)}:{unquote(password or '')}"
    return f"Basic {b64encode(pair.encode()).decode('ascii')}"
