"""How many models there are, for `/metrics`.

prometheus_client chooses how it counts when it is first imported, and the site arranges that. So it
is imported here on use.
"""

from __future__ import annotations

from itertools import product
from typing import Any

from django.db import connection
from django.db.models import Count

from registry.kinds import KINDS
from registry.models import Model

WORDS = {True: "true", False: "false"}
# What is enabled is installed.
STATES = ((True, True), (True, False), (False, False))


def collect() -> list[Any]:
    """For METRIC_COLLECTORS. A kind without models counts 0: its lines do not come and go."""
    from prometheus_client.core import GaugeMetricFamily

    labels = ["kind", "installed", "enabled"]
    family = GaugeMetricFamily("dreamforge_models", "Models in the registry.", labels=labels)
    try:
        for (kind, installed, enabled), count in _counts().items():
            family.add_metric([kind, WORDS[installed], WORDS[enabled]], count)
    finally:
        if not connection.in_atomic_block:
            connection.close()  # the thread of this scrape ends with it
    return [family]


def _counts() -> dict[tuple[str, bool, bool], int]:
    rows = Model.objects.order_by().values_list("kind", "installed", "enabled")
    counts = {(kind, *state): 0 for kind, state in product(KINDS, STATES)}
    return counts | {
        (kind, installed, enabled): count
        for kind, installed, enabled, count in rows.annotate(Count("pk"))
    }
