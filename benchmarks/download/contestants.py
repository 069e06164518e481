"""Who takes part, and what each is told to do. All check the SHA-256 of every file."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.download.cases import Case, Content


@dataclass(frozen=True)
class Job:
    """One run: what, from where, to where."""

    case: Case
    content: Content
    server: str  # the address of the file server
    hub: str  # of the fake hub
    folder: Path

    @property
    def base(self) -> str:
        return f"{self.server}/{self.case.pace}"

    @property
    def check(self) -> str:
        return f"cd {self.folder} && sha256sum --quiet --check {self.content.sums}"

    def module(self, name: str, *arguments: object) -> str:
        words = [sys.executable, "-m", f"benchmarks.download.{name}", *map(str, arguments)]
        return shlex.join(words)


@dataclass(frozen=True)
class Contestant:
    name: str
    script: Callable[[Job], str]  # for a shell
    needs: str = ""  # a program
    from_hub: bool = False
    skips: frozenset[str] = field(default_factory=frozenset)  # names of cases

    def missing(self) -> str | None:
        """Why it cannot take part."""
        if not self.needs or _program(self.needs):
            return None
        return f"{self.needs} is not installed: no row for {self.name}."


def _program(name: str) -> str | None:
    beside = os.fspath(Path(sys.executable).parent)
    return shutil.which(name, path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")


def _limit(job: Job) -> str:
    return job.module("limit", f"{job.server}/", job.folder, job.content.sums)


def _ours(job: Job) -> str:
    return job.module("ours", job.base, job.folder, job.content.sums, job.content.sizes)


def _curl(job: Job) -> str:
    again = "--continue-at - " if job.case.killed else ""
    urls = job.folder.with_name("curl.urls")
    lines = [f'url = "{job.base}{name}"\noutput = "{name}"\n' for name in job.content.names]
    urls.write_text("".join(lines))
    many = "--parallel --parallel-max 32 --parallel-immediate " if job.case.files > 1 else ""
    return f"cd {job.folder} && curl -sS --fail {again}{many}--config {urls} && {job.check}"


def _aria2c(job: Job) -> str:
    urls = job.folder.with_name("aria2c.urls")
    urls.write_text("".join(f"{job.base}{name}\n" for name in job.content.names))
    return (
        f"aria2c --quiet --no-conf --continue=true --auto-save-interval=1 --file-allocation=falloc "
        f"-x16 -s16 -k1M -j32 -d {job.folder} -i {urls} && {job.check}"
    )


def _rclone(job: Job) -> str:
    names = job.folder.with_name("rclone.names")
    names.write_text("".join(f"{name}\n" for name in job.content.names))
    return (
        f"{_program('rclone')} copy --config /dev/null --http-url {job.base} :http: {job.folder} "
        f"--files-from {names} --no-traverse --transfers 32 --checkers 32 "
        f"--multi-thread-streams 16 --multi-thread-cutoff 16M --log-level ERROR && {job.check}"
    )


def _hub(job: Job) -> str:
    return (
        f"HF_ENDPOINT={job.hub} HF_HUB_DISABLE_XET=1 HF_HUB_DISABLE_PROGRESS_BARS=1 "
        f"HF_HOME={job.folder.with_name('hf-home')} "
        f"{job.module('hub_client', job.folder, job.content.sums)} && {job.check}"
    )


LIMIT, OURS = "limit", "ours"
CONTESTANTS = (
    Contestant(LIMIT, _limit, skips=frozenset({"resume"})),
    Contestant(OURS, _ours),
    Contestant("curl, then sha256sum", _curl, "curl"),
    Contestant("aria2c x16, then sha256sum", _aria2c, "aria2c"),
    Contestant("rclone, then sha256sum", _rclone, "rclone"),
    Contestant("huggingface_hub, then sha256sum", _hub, from_hub=True),
)
