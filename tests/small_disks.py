"""A real file system that is small, and full when it is full: a tmpfs.

Root mounts it in its place. Anybody else may do so only in a namespace, which a process holds open;
it is seen below that process's folder in /proc, by all but those who follow links by themselves.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MOUNTS = """
echo ready
while read -r size; do
    mount -t tmpfs -o "${again}size=$size" tmpfs "$0" && echo mounted || echo refused
    again=remount,
done
"""
IN_A_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")


@contextmanager
def small_disk(place: Path) -> Iterator[Callable[[int], Path]]:
    """Mounts one of so many KiB and tells where it is seen; called again, it has another size."""
    place.mkdir()
    is_root = os.geteuid() == 0
    command = [*(() if is_root else IN_A_NAMESPACE), "sh", "-c", MOUNTS, str(place)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as shell:
        assert shell.stdin
        assert shell.stdout
        orders, answers = shell.stdin, shell.stdout
        if answers.readline() != "ready\n":
            pytest.skip("no file system can be mounted here: it takes root, or user namespaces")

        def mounted(size_kib: int) -> Path:
            print(f"{size_kib}k", file=orders, flush=True)
            if answers.readline() != "mounted\n":
                pytest.skip("no file system can be mounted here: this root may not")
            return place if is_root else Path(f"/proc/{shell.pid}/root{place}")

        yield mounted
        if place.is_mount():
            subprocess.run(["umount", "--lazy", place], check=True)
