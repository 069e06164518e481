"""`python -m benchmarks.sse`: measure, and print the table of docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.sse import machine, posts, servers
from benchmarks.sse.machine import Meter, Usage
from benchmarks.sse.servers import Site

SETTLING_S = 2.0
IDLE_S = 10.0
HEADER = (
    "| measured | p50 ms | p99 ms | events | lost | twice | CPU % | threads | RSS MB |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
)


@dataclass(frozen=True)
class Load:
    clients: int
    jobs: int
    rate: float
    seconds: float


def idle(name: str, site: Site) -> str:
    meter = Meter(site.pid)
    time.sleep(IDLE_S)
    return row(name, {}, meter.read())


def streams(name: str, site: Site, load: Load, maker: Site | None = None) -> Iterator[str]:
    """Open the streams, leave them idle for a while, then tell them."""
    jobs = (maker or site).post_jobs(load.jobs)
    paths = [f"/v1/jobs/{job}/progress/stream" for job in jobs]
    clients = site.run("clients", {"port": site.port, "paths": paths, "count": load.clients})
    assert clients.stdout is not None
    assert clients.stdout.readline() == "open\n"
    time.sleep(SETTLING_S)
    yield idle(f"{name}, silent", site)
    meter = Meter(site.pid)
    site.run("writer", {"jobs": jobs, "rate": load.rate, "seconds": load.seconds})
    time.sleep(load.seconds)
    usage = meter.read()
    yield row(f"{name}, {load.rate:g} events/s each", json.loads(clients.stdout.readline()), usage)


def row(name: str, seen: dict[str, list[float]], usage: Usage) -> str:
    delays = sorted(seen.get("delays_ms", []))
    cuts = statistics.quantiles(delays, n=100) if len(delays) > 1 else []
    facts = [f"{cuts[49]:.0f}", f"{cuts[98]:.0f}", f"{len(delays):,}"] if cuts else ["", "", ""]
    facts += [str(seen[key]) if seen else "" for key in ("lost", "doubled")]
    facts += [f"{usage.cpu_percent:.1f}", str(usage.threads), f"{usage.rss_mb:.0f}"]
    return f"| {name} | {' | '.join(facts)} |"


def beside_posts(site: Site, load: Load) -> Iterator[str]:
    alone = posts.rate(site.port, site.key)
    jobs = site.post_jobs(1)
    paths = [f"/v1/jobs/{jobs[0]}/progress/stream"]
    clients = site.run("clients", {"port": site.port, "paths": paths, "count": load.clients})
    assert clients.stdout is not None
    clients.stdout.readline()
    site.run("writer", {"jobs": jobs, "rate": load.rate, "seconds": posts.LONGEST_S})
    time.sleep(SETTLING_S)
    beside = posts.rate(site.port, site.key)
    clients.stdout.readline()
    alone = (
        alone + posts.rate(site.port, site.key)
    ) / 2  # before and after: the machine may have changed
    yield (
        f"POST /v1/jobs: {alone:.0f}/s alone, {beside:.0f}/s beside {load.clients} streams with "
        f"{load.rate:g} events/s each: {beside / alone:.2f}"
    )


def main() -> None:
    asked = arguments()
    load = Load(asked.clients, 1, asked.rate, asked.seconds)
    spread = Load(asked.clients, asked.clients, 0.1, asked.seconds)
    print(f"{machine.described()}; {asked.database}\n\n{HEADER}", flush=True)
    with servers.site(asked.database) as site:
        print(idle("no stream", site), flush=True)
        for line in streams(f"{load.clients} streams of one job", site, load):
            print(line, flush=True)
        for line in streams(f"{load.clients} streams of as many jobs", site, spread):
            print(line, flush=True)
        if asked.floor:
            with servers.floor(site) as floor:
                name = f"floor: a query each, {load.clients} streams"
                for line in streams(name, floor, load, maker=site):
                    print(line, flush=True)
        for line in beside_posts(site, Load(asked.clients // 2, 1, asked.rate, asked.seconds)):
            print(f"\n{line}", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sse", description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=10.0, help="events a second and job")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--no-floor", dest="floor", action="store_false")
    return parser.parse_args()


if __name__ == "__main__":
    main()
