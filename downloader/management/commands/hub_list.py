"""`manage.py hub_list`: the tracked repositories, or the files of one."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from downloader.command_line import ModelCommand, human
from downloader.hub import registering, selecting, working
from downloader.hub.api.serializers import RepoFileSerializer, RepoSerializer
from downloader.hub.models import Repo, RepoFile

REPOS = ("ID", "REPOSITORY", "STATUS", "COMMIT", "FILES", "HERE", "SIZE")
FILES = ("ID", "PATH", "TYPE", "SIZE", "STATUS", "TRUST")


class Command(ModelCommand):
    help = "List tracked repositories, newest first; with a repository: its files."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("repo", nargs="?", metavar="ID|AUTHOR/NAME[@REVISION]")
        parser.add_argument("--json", action="store_true", help="the list as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["repo"]:
            return self._files(registering.named(options["repo"]), as_json=options["json"])
        repos = Repo.objects.select_related("snapshot").order_by("-created_at", "-id")
        if options["json"]:
            context = {"work": working.on([repo.pk for repo in repos], None)}
            self.print_json(RepoSerializer(repos, many=True, context=context).data)
        else:
            self.print_table(REPOS, [_repo(repo) for repo in repos])
        return None

    def _files(self, repo: Repo, *, as_json: bool) -> None:
        snapshot = selecting.snapshot_of(repo, None)
        files = snapshot.files.order_by("path")
        if as_json:
            context = {"folder": snapshot.folder}
            self.print_json(RepoFileSerializer(files, many=True, context=context).data)
        else:
            self.print_table(FILES, [_file(file) for file in files])


def _repo(repo: Repo) -> tuple[Any, ...]:
    snapshot = repo.snapshot
    counts = (snapshot.file_count, snapshot.done_count) if snapshot else ("-", "-")
    size = human(snapshot.size_bytes) if snapshot else "-"
    status = "gone" if repo.gone_at else repo.status
    return (repo.pk, repo, status, repo.commit[:12] or "-", *counts, size)


def _file(file: RepoFile) -> tuple[Any, ...]:
    status = "barred" if file.barred and not file.is_here else file.status
    return file.pk, file.path, file.type, human(file.size_bytes), status, file.trust
