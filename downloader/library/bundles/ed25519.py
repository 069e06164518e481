"""Ed25519 as RFC 8032 describes it, for a signature now and then.

Python's integers take a time that depends on their values: signing belongs in a command or a
worker of the operator's own machine, never where strangers can time many signatures.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

SEED_BYTES = PUBLIC_BYTES = 32
SIGNATURE_BYTES = 64

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
HIGHEST_BIT = 1 << 255


class _Point(NamedTuple):
    """Extended coordinates: x = X/Z, y = Y/Z, T = XY/Z."""

    x: int
    y: int
    z: int
    t: int


def public_key(seed: bytes) -> bytes:
    return _encoded(_times(_expanded(seed)[0], BASE))


def sign(seed: bytes, message: bytes) -> bytes:
    scalar, prefix = _expanded(seed)
    public = _encoded(_times(scalar, BASE))
    nonce = _number(prefix, message) % ORDER
    point = _encoded(_times(nonce, BASE))
    challenge = _number(point, public, message) % ORDER
    return point + ((nonce + challenge * scalar) % ORDER).to_bytes(32, "little")


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """False for anything that is not the one form a signature or a key is written in, too."""
    if len(public) != PUBLIC_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    key = _decoded(public)
    answer = int.from_bytes(signature[32:], "little")
    if key is None or answer >= ORDER:
        return False
    challenge = _number(signature[:32], public, message) % ORDER
    negative = _Point(-key.x % P, key.y, key.z, -key.t % P)
    found = _add(_times(answer, BASE), _times(challenge, negative))
    return _encoded(found) == signature[:32]


def _expanded(seed: bytes) -> tuple[int, bytes]:
    if len(seed) != SEED_BYTES:
        raise ValueError(f"A seed has {SEED_BYTES} bytes.")
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little")
    return scalar & (2**254 - 8) | 2**254, digest[32:]


def _number(*parts: bytes) -> int:
    hashing = hashlib.sha512()
    for part in parts:
        hashing.update(part)
    return int.from_bytes(hashing.digest(), "little")


def _add(one: _Point, other: _Point) -> _Point:
    a = (one.y - one.x) * (other.y - other.x) % P
    b = (one.y + one.x) * (other.y + other.x) % P
    c = 2 * one.t * other.t * D % P
    d = 2 * one.z * other.z % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return _Point(e * f % P, g * h % P, f * g % P, e * h % P)


def _times(count: int, point: _Point) -> _Point:
    total = _Point(0, 1, 1, 0)
    while count:
        if count & 1:
            total = _add(total, point)
        point = _add(point, point)
        count >>= 1
    return total


def _encoded(point: _Point) -> bytes:
    inverse = pow(point.z, -1, P)
    x, y = point.x * inverse % P, point.y * inverse % P
    return (y | (x & 1) * HIGHEST_BIT).to_bytes(32, "little")


def _decoded(data: bytes) -> _Point | None:
    number = int.from_bytes(data, "little")
    y, sign = number % HIGHEST_BIT, number // HIGHEST_BIT
    x = _x_of(y, sign) if y < P else None
    return None if x is None else _Point(x, y, 1, x * y % P)


def _x_of(y: int, sign: int) -> int | None:
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT_OF_MINUS_ONE % P
    if x * x % P != square or (x == 0 and sign):
        return None
    return x if x & 1 == sign else P - x


BASE_Y = 4 * pow(5, -1, P) % P
BASE_X = _x_of(BASE_Y, 0) or 0
BASE = _Point(BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)
