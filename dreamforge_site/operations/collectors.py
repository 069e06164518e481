"""Facts looked up at scrape time; `METRIC_COLLECTORS` in the settings lists them and other apps'.

A collector is a function that returns metric families. It runs in a thread of its own, for a
limited time, so it may ask a database.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

import django
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Count

import dreamforge_site
from dreamforge_site.operations import metrics, readiness

# After `metrics`, which chooses how prometheus_client counts.
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric  # isort: skip

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def build() -> Iterator[Metric]:
    info = GaugeMetricFamily(
        "dreamforge_build_info", "Always 1.", labels=["version", "python", "django"]
    )
    labels = [dreamforge_site.__version__, platform.python_version(), django.get_version()]
    info.add_metric(labels, 1)
    yield info


def ready() -> Iterator[Metric]:
    report = readiness.report()
    state = GaugeMetricFamily("dreamforge_ready", "1 when /readyz answers 200.")
    state.add_metric([], float(report.ready))
    parts = GaugeMetricFamily(
        "dreamforge_ready_check", "1 when the part is well.", labels=["check"]
    )
    for name, check in report.checks.items():
        parts.add_metric([name], float(check.ok))
    yield from (state, parts)


def storage() -> Iterator[Metric]:
    free = GaugeMetricFamily(
        "dreamforge_models_free_bytes", "Free space where model files are kept."
    )
    folder = settings.ENVIRONMENT.models_dir
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free.add_metric([], shutil.disk_usage(existing).free)
    yield free


@readiness.closing_connection
def database() -> list[Metric]:
    size = GaugeMetricFamily("dreamforge_database_size_bytes", "Size of the database.")
    size.add_metric([], _database_size())
    users = GaugeMetricFamily("dreamforge_users", "Accounts.", labels=["active"])
    counted = get_user_model().objects.order_by().values_list("is_active").annotate(Count("pk"))
    for active, count in ({True: 0, False: 0} | dict(counted)).items():
        users.add_metric([str(active).lower()], count)
    return [size, users]


def _database_size() -> int:
    if connection.vendor == "sqlite":
        name = str(connection.settings_dict["NAME"])
        parts = (Path(name), Path(f"{name}-wal"))
        return sum(part.stat().st_size for part in parts if part.exists())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])


def processes() -> Iterator[Metric]:
    """Each service process of this machine; one that ends meanwhile is left out."""
    memory = GaugeMetricFamily(
        "dreamforge_process_resident_memory_bytes", "Memory in use.", labels=["pid"]
    )
    cpu = CounterMetricFamily("dreamforge_process_cpu_seconds", "CPU time used.", labels=["pid"])
    files = GaugeMetricFamily("dreamforge_process_open_fds", "Open files.", labels=["pid"])
    for pid in metrics.process_ids():
        folder = Path("/proc", str(pid))
        try:
            # After the command, which stands in parentheses and may hold anything.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            opened = len(list((folder / "fd").iterdir()))
        except OSError:
            continue
        cpu.add_metric([str(pid)], (int(fields[11]) + int(fields[12])) / TICKS_PER_S)
        memory.add_metric([str(pid)], int(fields[21]) * PAGE_BYTES)
        files.add_metric([str(pid)], opened)
    yield from (memory, cpu, files)
