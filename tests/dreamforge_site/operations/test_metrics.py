"""Counts of several processes are one sum, survive the processes, and are shown to few."""

from __future__ import annotations

import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, override_settings
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from dreamforge_site.environment import BASE_DIR
from dreamforge_site.operations import exposition
from tests import environment

URLS = "tests.dreamforge_site.operations.urls"
TOKEN = "a metrics token of the tests"
COUNT = "dreamforge_http_request_duration_seconds_count"
START = """
import os, signal, sys
import django; django.setup()
from dreamforge_site.operations import exposition, metrics
"""
COUNT_AND_DIE = (
    START
    + """
metrics.join()
for _ in range(int(sys.argv[1])): metrics.observe_request("items", "GET", 200, 0.01)
os.kill(os.getpid(), int(sys.argv[2]))
"""
)
SCRAPE = START + "metrics.join(); sys.stdout.buffer.write(exposition.render())"


@pytest.fixture
def client() -> Iterator[Client]:
    with override_settings(ROOT_URLCONF=URLS, METRIC_COLLECTORS=[]):
        yield Client()


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(text: str, name: str, /, **labels: str) -> float | None:
    return samples(text).get((name, frozenset(labels.items())))


def run(data_dir: Path, script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=BASE_DIR,
        env={
            **environment.clean(),
            "DJANGO_SETTINGS_MODULE": "dreamforge_site.settings",
            "DF_DATA_DIR": str(data_dir),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    # Log lines go to stdout too.
    done.stderr += "".join(line for line in done.stdout.splitlines(True) if line[0] == "{")
    done.stdout = "".join(line for line in done.stdout.splitlines(True) if line[0] != "{")
    return done


def files(data_dir: Path) -> list[str]:
    return sorted(path.name for path in (data_dir / "run" / "metrics").glob("*/*.db"))


@pytest.mark.pure
def test_counts_of_processes_that_ended_or_were_killed_are_summed_and_folded(
    tmp_path: Path,
) -> None:
    assert run(tmp_path, COUNT_AND_DIE, 3, int(signal.SIGTERM)).returncode == -signal.SIGTERM
    assert run(tmp_path, COUNT_AND_DIE, 4, int(signal.SIGKILL)).returncode == -signal.SIGKILL
    first = run(tmp_path, SCRAPE)
    labels = {"route": "items", "method": "GET", "status": "2xx"}
    assert value(first.stdout, COUNT, **labels) == 7, first.stderr
    # The dead together, and the process that scraped.
    owners = {name.removesuffix(".db").rpartition("_")[2] for name in files(tmp_path)}
    assert len(owners) == 2
    assert "0" in owners
    assert value(run(tmp_path, SCRAPE).stdout, COUNT, **labels) == 7


@pytest.mark.pure
def test_buckets_survive_folding(tmp_path: Path) -> None:
    run(tmp_path, COUNT_AND_DIE, 2, int(signal.SIGKILL))
    run(tmp_path, SCRAPE)
    text = run(tmp_path, SCRAPE).stdout
    name = "dreamforge_http_request_duration_seconds_bucket"
    labels = {"route": "items", "method": "GET", "status": "2xx"}
    found = [value(text, name, le=le, **labels) for le in ("0.005", "0.01", "0.025", "+Inf")]
    assert found == [0, 2, 2, 2]


@pytest.mark.pure
def test_importing_makes_no_file_and_resetting_leaves_none(tmp_path: Path) -> None:
    run(tmp_path, START)
    assert files(tmp_path) == []
    run(tmp_path, COUNT_AND_DIE, 1, int(signal.SIGKILL))
    assert files(tmp_path) != []
    assert run(tmp_path, START + "metrics.reset_directory()").returncode == 0
    assert files(tmp_path) == []


@pytest.mark.pure
def test_a_folder_that_cannot_be_written_leaves_each_process_counting_for_itself(
    tmp_path: Path,
) -> None:
    (tmp_path / "run").touch()
    script = (
        START
        + """
metrics.join()
metrics.observe_request("items", "GET", 200, 0.01)
sys.stdout.buffer.write(exposition.render())
"""
    )
    done = run(tmp_path, script)
    assert done.returncode == 0, done.stderr
    assert "metrics_not_shared" in done.stderr
    assert value(done.stdout, COUNT, route="items", method="GET", status="2xx") == 1


DEFAULT_COLLECTORS = ("build", "ready", "storage", "database", "processes", "collect")

SHARE = (
    START
    + """
metrics.join()
metrics.observe_request("items", "GET", 200, 0.01)
print("shared" if metrics.are_shared() else "alone", file=sys.stderr)
sys.stdout.buffer.write(exposition.render())
"""
)
LABELS = {"route": "items", "method": "GET", "status": "2xx"}
DAMAGE: dict[str, bytes] = {
    "empty": b"",
    "without an end": b"\0\0\0\0",
    "less than nothing": struct.pack("ii", -64, 0) + bytes(56),
    "shorter than it says": struct.pack("ii", 4096, 0),
    "an entry beyond the end": struct.pack("iii", 64, 0, 4096) + bytes(52),
    "zeros for an entry": struct.pack("ii", 64, 0) + bytes(56),
    "a key that is no list": struct.pack("iii4sdd", 32, 0, 4, b"null", 1.0, 0.0),
    "a key of no text": struct.pack("iii4sdd", 32, 0, 4, b"\xff\xff\xff\xff", 1.0, 0.0),
}


def folder_of(data_dir: Path) -> Path:
    """The folder this machine's processes count in."""
    folder = data_dir / "run" / "metrics" / socket.gethostname()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.pure
def test_damaged_files_are_removed_and_stop_nothing(tmp_path: Path) -> None:
    """All at once: each start of a process costs seconds."""
    run(tmp_path, COUNT_AND_DIE, 2, int(signal.SIGKILL))
    folder = folder_of(tmp_path)
    damaged = {
        folder / f"{kind}_{999_999_900 + number}.db": content
        for kind in ("counter", "histogram")
        for number, content in enumerate(DAMAGE.values())
    }
    for path, content in damaged.items():
        path.write_bytes(content)
    done = run(tmp_path, SHARE)
    assert value(done.stdout, COUNT, **LABELS) == 3, done.stderr
    assert done.stderr.count("metrics_damaged") == 1
    assert "shared" in done.stderr
    assert [path.name for path in damaged if path.name not in done.stderr] == []
    assert [path.name for path in damaged if path.exists()] == []


@pytest.mark.pure
def test_damaged_sums_of_the_dead_are_begun_again(tmp_path: Path) -> None:
    (folder_of(tmp_path) / "histogram_0.db").write_bytes(b"x" * 100)
    done = run(tmp_path, SHARE)
    assert value(done.stdout, COUNT, **LABELS) == 1, done.stderr
    assert "metrics_damaged" in done.stderr


@pytest.mark.pure
def test_a_damaged_file_of_its_own_number_stops_no_process(tmp_path: Path) -> None:
    """In a container every start has the same process id."""
    script = SHARE.replace(
        "metrics.join()",
        "metrics.DIRECTORY.mkdir(parents=True)\n"
        '(metrics.DIRECTORY / f"histogram_{os.getpid()}.db").write_bytes(b"x" * 100)\n'
        "metrics.join()",
    )
    done = run(tmp_path, script)
    assert value(done.stdout, COUNT, **LABELS) == 1, done.stderr


@pytest.mark.pure
def test_a_file_damaged_after_the_start_costs_only_its_own_counts(tmp_path: Path) -> None:
    folder_of(tmp_path)
    script = SHARE.replace(
        "sys.stdout", '(metrics.DIRECTORY / "counter_999999999.db").touch()\nsys.stdout'
    )
    done = run(tmp_path, script)
    assert value(done.stdout, COUNT, **LABELS) == 1, done.stderr


@pytest.mark.pure
def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / "my_notes.db").write_text("notes")
    (folder / "counter_999999999.db").mkdir()
    done = run(tmp_path, SHARE)
    assert value(done.stdout, COUNT, **LABELS) == 1, done.stderr
    assert (folder / "my_notes.db").read_text() == "notes"
    assert (folder / "counter_999999999.db").is_dir()


@pytest.mark.pure
@pytest.mark.parametrize("room_bytes", [0, 100_000])
def test_without_room_a_process_counts_for_itself_and_leaves_no_file(
    tmp_path: Path, room_bytes: int
) -> None:
    """The limit on a file's size stands for a full disk; the counts of the dead wait.""" ""
    run(tmp_path, COUNT_AND_DIE, 2, int(signal.SIGKILL))
    before = files(tmp_path)
    limit = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room_bytes}, {room_bytes}))\n"
    )
    done = run(tmp_path, SHARE.replace("metrics.join()", f"{limit}metrics.join()"))
    assert value(done.stdout, COUNT, **LABELS) == 1, done.stderr
    assert "alone" in done.stderr
    assert "metrics_not_shared" in done.stderr
    assert files(tmp_path) == before
    assert list(folder_of(tmp_path).glob("*.draft")) == []


@pytest.mark.pure
def test_room_is_taken_for_every_kind_of_file_the_web_writes(tmp_path: Path) -> None:
    script = SHARE.replace(
        "metrics.join()",
        "from dreamforge_site.front import measures\n"
        "metrics.join()\n"
        'measures.OPEN.labels("stream").inc()',
    )
    assert run(tmp_path, script).returncode == 0
    made = [path for path in folder_of(tmp_path).glob("*.db") if path.stat().st_blocks]
    sparse = [path.name for path in made if path.stat().st_blocks * 512 < path.stat().st_size]
    assert len(made) >= 2
    assert sparse == []


def test_requests_are_counted_by_route_method_and_class_of_status(client: Client) -> None:
    client.get("/items/1")
    client.get("/items/2")
    client.get("/nowhere/1")
    client.generic("BREW", "/nowhere/2")
    text = client.get("/metrics").content.decode()
    assert (value(text, COUNT, route="items/<int:pk>", method="GET", status="2xx") or 0) >= 2
    assert (value(text, COUNT, route="unmatched", method="GET", status="4xx") or 0) >= 1
    assert (value(text, COUNT, route="unmatched", method="other", status="4xx") or 0) >= 1
    assert "BREW" not in text


@pytest.mark.django_db(transaction=True)
def test_the_default_collectors_all_answer() -> None:
    text = exposition.render().decode()
    worked = {
        dict(labels)["name"]: value
        for (name, labels), value in samples(text).items()
        if name == "dreamforge_collector_ok"
    }
    assert worked == dict.fromkeys(DEFAULT_COLLECTORS, 1.0)
    assert (value(text, "dreamforge_database_size_bytes") or 0) > 0
    assert value(text, "dreamforge_users", active="true") == 0
    assert "dreamforge_build_info{" in text


def good() -> Iterable[Metric]:
    gauge = GaugeMetricFamily("dreamforge_good", "A collector of the tests.")
    gauge.add_metric([], 1)
    yield gauge


def bad() -> Iterable[Metric]:
    raise RuntimeError("collector canary")


@override_settings(METRIC_COLLECTORS=[f"{__name__}.good", f"{__name__}.bad"])
def test_a_failing_collector_costs_only_its_own_part() -> None:
    text = exposition.render().decode()
    assert value(text, "dreamforge_good") == 1
    assert value(text, "dreamforge_collector_ok", name="good") == 1
    assert value(text, "dreamforge_collector_ok", name="bad") == 0
    assert "canary" not in text


# Who may look


def scrape(client: Client, peer: str, **headers: str) -> tuple[int, dict[str, Any]]:
    answer = client.get("/metrics", headers=headers, REMOTE_ADDR=peer)
    refused = answer.status_code != 200
    return answer.status_code, answer.json() if refused else {}


@pytest.fixture
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = settings.ENVIRONMENT.model_copy(update={"metrics_token": SecretStr(TOKEN)})
    monkeypatch.setattr(settings, "ENVIRONMENT", changed)


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_loopback_may_scrape(peer: str, client: Client) -> None:
    assert scrape(client, peer)[0] == 200


@pytest.mark.parametrize("peer", ["10.0.0.5", "2001:db8::1", "::ffff:10.0.0.5", "", "unix:"])
def test_others_may_not_while_there_is_no_token(peer: str, client: Client) -> None:
    status, envelope = scrape(client, peer, authorization="Bearer anything")
    assert (status, envelope["code"]) == (403, "forbidden")


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
def test_a_proxy_on_loopback_does_not_open_the_door(header: str, client: Client) -> None:
    assert scrape(client, "127.0.0.1", **{header: "for=10.0.0.5"})[0] == 403


@pytest.mark.usefixtures("_token")
def test_the_token_opens_it_to_others(client: Client) -> None:
    assert scrape(client, "10.0.0.5", authorization=f"Bearer {TOKEN}")[0] == 200
    assert scrape(client, "127.0.0.1")[0] == 200


@pytest.mark.usefixtures("_token")
@pytest.mark.parametrize(
    "sent", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x"]
)
def test_another_token_is_refused(sent: str, client: Client) -> None:
    answer = client.get("/metrics", headers={"authorization": sent}, REMOTE_ADDR="10.0.0.5")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer["WWW-Authenticate"] == "Bearer"
    assert TOKEN.encode() not in answer.content
