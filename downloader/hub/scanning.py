"""Looking at the disk: what lies below the models root and nobody knows yet joins the hub."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from downloader import configured
from downloader.hub import adopted, ending, matching, reconciling, vouching
from downloader.hub.adopted import Known
from downloader.hub.matching import Identity
from downloader.hub.voices import JobVoice, Voice
from downloader.library import adoption, inferring, inplace, layouts, revisions, strangers
from downloader.library.checksums import Computed
from downloader.library.errors import Busy, Canceled, DownloadError, InvalidFile
from downloader.library.inplace import Adopted, Taken
from downloader.library.layouts import Candidate, Found, Seen, Standing, Stray
from downloader.library.revisions import Revision
from downloader.library.store import Store
from jobs.patience import persist
from jobs.run import Run
from registry import checks

TOLD_AT_MOST = 100
LONGEST_PATH = 1024
LOCK = "scan"


@dataclass
class Report:
    """`left`: what could not be placed, and why, by path below the models root."""

    adopted: int = 0
    adopted_bytes: int = 0
    unchanged: int = 0
    hashed: int = 0
    hashed_bytes: int = 0
    repos: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "adopted": self.adopted,
            "adopted_bytes": self.adopted_bytes,
            "unchanged": self.unchanged,
            "hashed": self.hashed,
            "hashed_bytes": self.hashed_bytes,
            "repos": self.repos[:TOLD_AT_MOST],
            "restored": self.restored[:TOLD_AT_MOST],
            "models": self.models[:TOLD_AT_MOST],
            "left_count": len(self.left),
            "left": dict(list(self.left.items())[:TOLD_AT_MOST]),
        }

    @property
    def told(self) -> str:
        return (
            f"{self.adopted} files adopted, {self.unchanged} unchanged, {self.hashed} read; "
            f"{len(self.repos)} repositories, {len(self.left)} files left."
        )


def scan(run: Run) -> dict[str, Any]:
    """The job: a folder, or what is tracked of one repository."""
    voice = JobVoice(run, "scan")
    with ending.the_attempt(), run.step("scan"):
        if run.params.get("repo_id"):
            return reconciling.job(run.params["repo_id"], voice)
        report = walk(configured.store(), run.params.get("path") or "", voice)
        voice.progress(1.0)
    return {"count": 1, "completed": 1, **report.to_json()}


def walk(store: Store, path: str, voice: Voice) -> Report:
    """Everything below `path`. What is unchanged since the last scan is not read. Busy while
    another scan runs."""
    start = layouts.place(store.root, path or ".")
    lease = store.lock_now(LOCK)
    if lease is None:
        raise Busy("Another scan is running. Start again when it is over.")
    try:
        return _walk(store, start, voice)
    finally:
        store.let_go(lease)


def _walk(store: Store, start: PurePosixPath, voice: Voice) -> Report:
    found = voice.aside(lambda: list(layouts.look(store.root, start)))
    scanning = _Scanning(store, voice)
    for at, one in enumerate(found):
        voice.control.check()
        scanning.handle(one)
        voice.progress(at / len(found))
    persist(lambda: adopted.forget_missing(start, store.root))
    scanning.models()
    for place, why in list(scanning.report.left.items())[:TOLD_AT_MOST]:
        voice.say("scan.left", f"{place} {why}", level="warning", path=place)
    voice.say("scan.done", scanning.report.told)
    return scanning.report


class _Scanning:
    def __init__(self, store: Store, voice: Voice) -> None:
        self._store = store
        self._voice = voice
        self._policy = configured.policy()
        self.report = Report()

    def handle(self, found: Found) -> None:
        if isinstance(found, Stray):
            self.report.left[found.path] = found.why
        elif isinstance(found, Standing):
            self._standing(found.folder)
        else:
            self._leave(found, found.left)
            self._candidate(found)

    def models(self) -> None:
        """Installed models whose rows are gone, or whose files are."""
        try:
            self.report.models = persist(checks.run).recorded
        except checks.RootUnreadable as error:
            self._voice.say("scan.left", str(error), level="warning")

    # The store's own folders

    def _standing(self, folder: PurePosixPath) -> None:
        """Rows that are gone come back; what somebody put in by hand joins, or is told of."""
        try:
            shown = self._voice.aside(lambda: revisions.read(folder, self._store))
        except InvalidFile as error:
            self.report.left[str(folder)] = error.message
            return
        if shown is None:
            return
        if not persist(lambda: adopted.is_known(shown)) and not self._restore(folder, shown):
            return
        named = {file.path for file in shown.files}
        strange = self._voice.aside(lambda: strangers.found(self._store, folder, named))
        if not strange:
            self.report.unchanged += len(shown.files)
        elif shown.source == matching.LOCAL:
            self._candidate(self._voice.aside(lambda: layouts.whole(self._store.root, folder)))
        else:
            why = f"is no file of {shown.repo} at {shown.commit[:12]}"
            self.report.left |= {f"{folder}/{path}": why for path in strange}

    def _restore(self, folder: PurePosixPath, shown: Revision) -> bool:
        """Nothing of a folder that says what cannot be so."""
        control = self._voice.control
        try:
            checked = self._voice.aside(
                lambda: vouching.checked(shown, folder, self._store, control)
            )
        except InvalidFile as error:
            self.report.left[str(folder)] = error.message
            return False
        self.report.restored.append(str(persist(lambda: adopted.restore(checked))))
        return True

    # What is not ours yet

    def _candidate(self, candidate: Candidate) -> None:
        allowed = list(self._allowed(candidate))
        paths = [_below_root(candidate, seen.path) for seen in allowed]
        known = persist(lambda: adopted.known(paths))
        same = self._unchanged(candidate, allowed, known)
        if len(same) == len(allowed) and persist(lambda: adopted.have_rows(same.values())):
            self.report.unchanged += len(same)
            return
        computed = self._voice.aside(lambda: self._read(candidate, allowed, same))
        if computed:
            self._join(candidate, allowed, computed)

    def _allowed(self, candidate: Candidate) -> Iterator[Seen]:
        for seen in candidate.files:
            why = adoption.refusal(seen.path, self._policy)
            if len(_below_root(candidate, seen.path)) > LONGEST_PATH:
                why = f"has a path of more than {LONGEST_PATH} characters"
            if why is None:
                yield seen
            else:
                self._leave(candidate, {seen.path: why})

    def _unchanged(
        self, candidate: Candidate, files: Iterable[Seen], known: Mapping[str, Known]
    ) -> dict[str, str]:
        """The blob of each file that an earlier scan has read and that is here still."""
        same = {}
        for seen in files:
            path = _below_root(candidate, seen.path)
            before = known.get(path)
            now = Seen(path, seen.size, seen.mtime_ns, seen.inode)
            if before and before.seen == now and self._store.has(before.sha256, seen.size):
                same[seen.path] = before.sha256
        return same

    def _read(
        self, candidate: Candidate, files: Iterable[Seen], same: Mapping[str, str]
    ) -> dict[str, Computed]:
        """A small file is read again for its git digest: a commit may have become known."""
        computed = {}
        for seen in files:
            if seen.path in same and seen.size > adoption.GIT_BYTES:
                computed[seen.path] = Computed(seen.size, same[seen.path])
                continue
            try:
                computed[seen.path] = self._hash(candidate, seen)
            except Canceled:
                raise
            except DownloadError as error:
                self._leave(candidate, {seen.path: error.message})
        return computed

    def _hash(self, candidate: Candidate, seen: Seen) -> Computed:
        control = self._voice.control
        found = adoption.read(self._store, candidate.folder, seen, self._policy, control)
        self.report.hashed += 1
        self.report.hashed_bytes += seen.size
        return found

    def _join(
        self, candidate: Candidate, files: Iterable[Seen], computed: Mapping[str, Computed]
    ) -> None:
        try:
            inferred = self._voice.aside(lambda: inferring.infer(candidate, self._store))
            if not candidate.author and inferred.author:
                candidate = replace(candidate, author=inferred.author)
            identity = persist(lambda: matching.identify(candidate, computed))
            other = persist(lambda: adopted.holder(identity, candidate.folder))
            if other and (self._store.root / other).is_dir():
                why = f"has the name {identity.full_name}, which {other} has already"
                self._leave(candidate, dict.fromkeys(computed, why))
                return
            self._leave(candidate, identity.left)
            self._adopt(candidate, files, computed, replace(identity, inferred=inferred))
        except Canceled:
            raise
        except DownloadError as error:
            self._leave(candidate, dict.fromkeys(computed, error.message))

    def _adopt(
        self,
        candidate: Candidate,
        files: Iterable[Seen],
        computed: Mapping[str, Computed],
        identity: Identity,
    ) -> None:
        wanted = identity.shown(self._store, computed)
        seen = {one.path: one for one in files}
        taken = tuple(
            Taken(named.shown_as, seen[named.path], computed[named.path])
            for named in identity.files
        )
        control = self._voice.control
        done = self._voice.aside(
            lambda: inplace.adopt(self._store, candidate, wanted, taken, control)
        )
        self._leave(candidate, done.left)
        persist(lambda: self._record(candidate, identity, done, computed))

    def _record(
        self,
        candidate: Candidate,
        identity: Identity,
        done: Adopted,
        computed: Mapping[str, Computed],
    ) -> None:
        if done.revision is None:
            return
        repo = adopted.record(identity, done.revision, candidate)
        adopted.remember(
            Known(_moved(now, _below_root(candidate, path)), computed[path].sha256)
            for path, now in done.now.items()
        )
        self.report.adopted += len(done.now)
        self.report.adopted_bytes += sum(now.size for now in done.now.values())
        self.report.repos.append(str(repo))

    def _leave(self, candidate: Candidate, left: Mapping[str, str]) -> None:
        self.report.left |= {_below_root(candidate, path): why for path, why in left.items()}


def _below_root(candidate: Candidate, path: str) -> str:
    return str(candidate.folder / path)


def _moved(seen: Seen, path: str) -> Seen:
    return Seen(path, seen.size, seen.mtime_ns, seen.inode)
