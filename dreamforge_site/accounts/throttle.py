"""How often one may try: counted in the database, so in every process and over a restart.

An attempt takes its place in the window before the password is hashed and gives it back when it
turns out right. So parallel guesses cannot slip past the limit, a refused guess costs nothing, and
signing in to one's own account wins no more guesses at another's.
"""

from __future__ import annotations

import ipaddress
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils.crypto import salted_hmac

from dreamforge_site.accounts import clock, names
from dreamforge_site.accounts.errors import RateLimitedError
from dreamforge_site.accounts.models import AttemptWindow

IPV6_NETWORK_BITS = 64
# By so much a request that waited its turn, or another machine, may see a window end too late.
CLOCKS_DIFFER_BY = timedelta(minutes=1)


@dataclass(frozen=True)
class Limit:
    attempts: int
    window: timedelta


LIMITS = {
    "sign-in from address": Limit(attempts=10, window=timedelta(minutes=5)),
    "sign-in as name": Limit(attempts=10, window=timedelta(minutes=5)),
    "registration from address": Limit(attempts=10, window=timedelta(hours=1)),
}


@dataclass(frozen=True)
class Subject:
    kind: str
    value: str

    @property
    def limit(self) -> Limit:
        return LIMITS[self.kind]

    @property
    def digest(self) -> str:
        text = f"{self.kind}:{self.value}"
        return salted_hmac("dreamforge.accounts.throttle", text, algorithm="sha256").hexdigest()


def sign_in(username: str, address: str | None) -> list[Subject]:
    """What an attempt to sign in counts against; the address first, so locks have one order."""
    found = [Subject("sign-in as name", names.key(username))]
    if address is not None:
        found.insert(0, Subject("sign-in from address", network(address)))
    return found


def registration(address: str) -> list[Subject]:
    return [Subject("registration from address", network(address))]


@transaction.atomic
def admit(subjects: list[Subject]) -> None:
    """Take a place in the window of every subject, or in none and raise RateLimitedError."""
    now = clock.now()
    for subject in subjects:
        _take_place(subject, now)


def give_back(subjects: list[Subject]) -> None:
    """One row at a time, in the order `admit` locks them: one statement for all knows no order."""
    for subject in subjects:
        taken = AttemptWindow.objects.filter(subject=subject.digest, attempts__gt=0)
        taken.update(attempts=F("attempts") - 1)


@transaction.atomic
def purge() -> int:
    # Skips what an attempt holds: it locks two rows in one order, and this knows no order.
    over = AttemptWindow.objects.filter(ends_at__lte=clock.now())
    free = over.select_for_update(skip_locked=True).values("pk")
    return AttemptWindow.objects.filter(pk__in=free).delete()[0]


def network(address: str) -> str:
    """Who an address stands for: an IPv6 household has 2^64 of them."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((int(ip), IPV6_NETWORK_BITS), strict=False))


def _take_place(subject: Subject, now: datetime) -> None:
    window = AttemptWindow.objects.filter(subject=subject.digest)
    _open_window(subject, now)
    if window.filter(attempts__lt=subject.limit.attempts).update(attempts=F("attempts") + 1):
        return
    wait = window.values_list("ends_at", flat=True).get() - now
    raise RateLimitedError(max(1, math.ceil(wait.total_seconds())))


def _open_window(subject: Subject, now: datetime) -> None:
    ends_at = now + subject.limit.window
    # One that ends too late was opened by a clock that was ahead and has been put right.
    is_over = Q(ends_at__lte=now) | Q(ends_at__gt=ends_at + CLOCKS_DIFFER_BY)
    over = AttemptWindow.objects.filter(is_over, subject=subject.digest)
    if not over.update(attempts=0, ends_at=ends_at):
        fresh = AttemptWindow(subject=subject.digest, attempts=0, ends_at=ends_at)
        AttemptWindow.objects.bulk_create([fresh], ignore_conflicts=True)
