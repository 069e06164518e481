"""The form of a value where its type says too little: one predicate for each such field."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dreamforge_site import addresses

# What a Host header can hold and Django compares it with: no scheme, no port.
HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]")
# As Django's own validator of user names: the first start writes this one past the form.
USER_NAME = re.compile(r"[\w.@+-]{1,150}")
HIGHEST_PORT = 65535
WIDEST_PROXIES = {4: 8, 6: 20}  # bits of the network, by the version of IP
# Where sites number themselves, and links: as wide as they are, nobody calls from afar.
OWN_PROXIES = (ipaddress.IPv6Network("fc00::/7"), ipaddress.IPv6Network("fe80::/10"))
MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")  # all of IPv4, written as IPv6


def is_host_pattern(text: str) -> bool:
    """A host name or address; `.example.org` is a domain with all below it, `*` any host."""
    return text == "*" or HOST.fullmatch(text.removeprefix(".")) is not None


def is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def is_proxy(text: str) -> bool:
    """Not so wide that callers from anywhere could say who they are: a network of a site at most,
    as 10.0.0.0/8 and fc00::/7 are. Bits of a host beside the network are refused: the server
    would take it for a name, and believe nobody."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        return False
    if isinstance(network, ipaddress.IPv4Network):
        return network.prefixlen >= WIDEST_PROXIES[4]
    if network.overlaps(MAPPED):
        return network.prefixlen >= MAPPED.prefixlen + WIDEST_PROXIES[4]
    is_own = any(network.subnet_of(own) for own in OWN_PROXIES)
    return is_own or network.prefixlen >= WIDEST_PROXIES[6]


def is_network_or_switch(text: str) -> bool:
    return text in ("on", "off") or is_network(text)


def is_http_address(text: str) -> bool:
    try:
        parts = addresses.server(text)
    except ValueError:
        return False
    # An address is shown to people, and who may call there has a variable of its own.
    plain = parts.username is None and not parts.query
    return parts.scheme in ("http", "https") and bool(parts.hostname) and plain


def is_origin(text: str) -> bool:
    """As a browser sends it: scheme, host and port, nothing before or behind."""
    host, port = r"(?P<host>[^/:@]+|\[[^]]+\])", r"(:[0-9]{1,5})?"
    found = re.fullmatch(rf"https?://{host}{port}", text)
    return found is not None and HOST.fullmatch(found["host"]) is not None and is_http_address(text)


def is_host_and_port(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return _is_bindable(host) and is_number(port) and 1 <= int(port) <= HIGHEST_PORT


def is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def is_user_name(text: str) -> bool:
    return USER_NAME.fullmatch(text) is not None


def is_scheme(text: str) -> bool:
    return re.fullmatch(r"[a-z][a-z0-9+.-]{0,31}", text) is not None


def is_absolute_folder(text: str) -> bool:
    return Path(text).is_absolute() and "\0" not in text


def is_prefix(text: str) -> bool:
    """Nothing, or the beginning of a path that a front server keeps for itself."""
    return text == "" or re.fullmatch(r"/[A-Za-z0-9._~/-]*", text) is not None


def _is_bindable(host: str) -> bool:
    bare = host.removeprefix("[").removesuffix("]")
    return is_network(bare) if ":" in bare else HOST.fullmatch(bare) is not None


RULES: dict[str, Callable[[str], bool]] = {
    "allowed_hosts": is_host_pattern,
    "trusted_proxies": is_proxy,
    "webhook_allow_private": is_network_or_switch,
    "cors_origins": is_origin,
    "admin_user": is_user_name,
    "s3_endpoint": is_http_address,
    "s3_public_endpoint": is_http_address,
    "worker_http": is_host_and_port,
    "gpu_devices": is_number,
    "hf_endpoint": is_http_address,
    "civitai_endpoint": is_http_address,
    "download_sources": is_scheme,
    "download_file_roots": is_absolute_folder,
    "sendfile_prefix": is_prefix,
}


def check(field: str, value: Any) -> None:
    """ValueError when a value, or one of a list, does not have its field's form."""
    parts = value if isinstance(value, tuple) else (value,)
    if not all(RULES[field](part) for part in parts if part is not None):
        raise ValueError("wrong form")
