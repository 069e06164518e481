"""What can go wrong on the way, switched on for some requests.

    rule = hub.faults.add(Stall(at=1000, seconds=60), path="*.safetensors", times=1)

`path` is a glob on the request's path or on the file it is about; `origin` and `method` narrow it
further; `after` lets the first ones pass, `times` ends it. Rules that fit the same request add up,
in the order they were added. A fault of a body touches only requests for the bytes of a file,
unless its rule names an origin, and of these only GET, unless it names a method.
"""

from typing import Any

from tests.hubs.faults.answers import (
    Afterwards,
    Changed,
    Expired,
    JsonError,
    Latency,
    LfsPointer,
    LoginPage,
    NoHead,
    RedirectLoop,
    RedirectTo,
    Status,
    TooManyRequests,
    expired,
    pointer,
)
from tests.hubs.faults.base import Fault
from tests.hubs.faults.bytes_on_the_way import (
    Drip,
    Extra,
    FlippedBit,
    RateCap,
    Raw,
    Reset,
    SilentClose,
    Stall,
    Truncated,
)
from tests.hubs.faults.claims import (
    ChangingEtag,
    Chunked,
    Disposition,
    Gzip,
    NoEtag,
    NoLength,
    NotModified,
    OtherVersion,
    WrongLength,
)
from tests.hubs.faults.pages import CutJson, EndlessPages, LostPages
from tests.hubs.faults.ranges import (
    IgnoreRange,
    NoContentRange,
    OtherStart,
    ShortRange,
    Unsatisfiable,
    WholeAsPart,
)
from tests.hubs.faults.rules import Faults, Rule

__all__ = [
    "Afterwards",
    "Changed",
    "ChangingEtag",
    "Chunked",
    "CutJson",
    "Disposition",
    "Drip",
    "EndlessPages",
    "Expired",
    "Extra",
    "Fault",
    "Faults",
    "FlippedBit",
    "Gzip",
    "IgnoreRange",
    "JsonError",
    "Latency",
    "LfsPointer",
    "LoginPage",
    "LostPages",
    "NoContentRange",
    "NoEtag",
    "NoHead",
    "NoLength",
    "NotModified",
    "OtherStart",
    "OtherVersion",
    "RateCap",
    "Raw",
    "RedirectLoop",
    "RedirectTo",
    "Reset",
    "Rule",
    "ShortRange",
    "SilentClose",
    "Stall",
    "Status",
    "TooManyRequests",
    "Truncated",
    "Unsatisfiable",
    "WholeAsPart",
    "WrongLength",
    "expired",
    "named",
    "pointer",
]


def named(name: str, **arguments: Any) -> Fault:
    """A fault by the name of its class, as it comes to a hub that runs as a process."""
    kinds: dict[str, Any] = {kind.__name__: kind for kind in Fault.__subclasses__()}
    if name not in kinds:
        raise ValueError(f"no fault is called {name!r}; there are {', '.join(sorted(kinds))}")
    fault: Fault = kinds[name](**arguments)
    return fault
