"""From fetched bytes to blobs: each file is judged as it comes, by a few threads, while others are
still on their way. So what is finished stays finished, whatever happens to the rest."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue

from downloader.library.checksums import Computed, Trust, hash_file, judge
from downloader.library.errors import DigestMismatch, DownloadError, InvalidFile
from downloader.library.identities import identity, is_named
from downloader.library.install import Stored
from downloader.library.plan import Plan, PlannedFile
from downloader.library.safety import Policy, check_content
from downloader.library.sources.base import Source
from downloader.library.store import Claim, Lease, Override, Store
from downloader.library.transfer import Fetched
from downloader.library.watch import Control, FileProgress, FileState, Observer

THREADS = 4
BATCH = 32
Held = Mapping[str, tuple[Lease, Sequence[PlannedFile]]]  # by the name of the lock


@dataclass(frozen=True)
class Judging:
    """What files are judged by."""

    source: Source
    source_uri: str
    policy: Policy
    overrides: Sequence[Override]

    def trust(self, planned: PlannedFile, fetched: Fetched, control: Control) -> Trust:
        """What the comparison with the source's digest, or an operator's word, gives."""
        trust = self.source.verify(planned.file, fetched.computed)
        if trust is Trust.UNVERIFIED and planned.file.digest is not None:
            algorithms = (planned.file.digest.algorithm,)
            trust = judge(planned.file.digest, hash_file(fetched.part, algorithms, control))
        if trust is Trust.MISMATCH and self.overridden(planned, fetched.computed.sha256):
            return Trust.OVERRIDDEN
        return trust

    def overridden(self, planned: PlannedFile, sha256: str | None = None) -> Override | None:
        """The operator's word for this file, and for these bytes if they are known."""
        expected = str(planned.file.digest) if planned.file.digest else None
        asked = (self.source_uri, planned.file.path, expected)
        for said in self.overrides:
            same_bytes = sha256 in (None, said.sha256)
            if (said.source_uri, said.path, said.expected) == asked and same_bytes:
                return said
        return None


class Publisher:
    """Files go in by `take`, and `stored` has them when `finish` returns. The first failure is
    raised by both, from then on."""

    def __init__(
        self,
        judging: Judging,
        store: Store,
        claim: Claim,
        leases: Leases,
        control: Control,
        observer: Observer,
    ) -> None:
        self._judging = judging
        self._store = store
        self._claim = claim
        self._leases = leases
        self._control = control
        self._observer = observer
        self._queue: SimpleQueue[tuple[PlannedFile, Fetched] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._failures: list[BaseException] = []
        self.stored: dict[str, Stored] = {}
        self.received = 0

    def start(self, files: int) -> None:
        for at in range(min(THREADS, files)):
            thread = threading.Thread(target=self._work, name=f"publish-{at}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def take(self, planned: PlannedFile, fetched: Fetched) -> None:
        self._raise()
        with self._lock:
            self.received += fetched.received
        self._queue.put((planned, fetched))

    def finish(self) -> None:
        """Wait for what was taken."""
        self.stop()
        self._raise()

    def stop(self) -> None:
        """As `finish`, when there is another failure to tell."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _raise(self) -> None:
        if self._failures:
            raise self._failures[0]

    def _work(self) -> None:
        """The outer border of a thread: whatever goes wrong is raised by `take` or `finish`."""
        while batch := self._batch():
            try:
                self._publish(batch)
            except BaseException as error:  # noqa: BLE001
                self._failures.append(error)

    def _batch(self) -> list[tuple[PlannedFile, Fetched]]:
        """What has come by now: one claim serves them all. Empty at the end."""
        batch: list[tuple[PlannedFile, Fetched]] = []
        while len(batch) < BATCH and (not batch or not self._queue.empty()):
            item = self._queue.get()
            if item is None:
                if batch:
                    self._queue.put(None)  # for the next round
                break
            batch.append(item)
        return batch

    def _publish(self, batch: Sequence[tuple[PlannedFile, Fetched]]) -> None:
        judged: list[tuple[PlannedFile, Fetched, Trust]] = []
        failure: DownloadError | None = None
        for planned, fetched in batch:
            try:
                judged.append((planned, fetched, self._judge(planned, fetched)))
            except DownloadError as error:  # the good ones of the batch are kept all the same
                failure = failure or error
        self._claim.add(blobs=[fetched.computed.sha256 for _, fetched, _ in judged])
        self._leases.check([planned for planned, _, _ in judged])
        for planned, fetched, trust in judged:
            self._adopt(planned, fetched, trust)
        self._leases.finished(
            {planned.path: fetched.computed.sha256 for planned, fetched, _ in judged}
        )
        if failure is not None:
            raise failure

    def _judge(self, planned: PlannedFile, fetched: Fetched) -> Trust:
        trust = self._judging.trust(planned, fetched, self._control)
        if trust is Trust.MISMATCH:
            raise self._quarantined(planned, fetched)
        try:
            check_content(fetched.part, planned.path, self._judging.policy)
        except DownloadError:
            self._fail(planned)
            self._store.forget_part(fetched.part)
            raise
        return trust

    def _adopt(self, planned: PlannedFile, fetched: Fetched, trust: Trust) -> None:
        computed = fetched.computed
        self._store.adopt(fetched.part, computed, settle=False)
        with self._lock:
            self.stored[planned.path] = Stored(computed.sha256, computed.size, trust)
        self._observer.file(
            FileProgress(
                planned.path, FileState.DONE, computed.size, computed.size, fetched.received
            )
        )
        self._observer.say(
            "verified",
            f"{planned.path}: {trust.value}.",
            path=planned.path,
            sha256=computed.sha256,
            trust=trust.value,
        )

    def _quarantined(self, planned: PlannedFile, fetched: Fetched) -> DigestMismatch:
        """Out of the way, with what it looks like if it is not even of its format."""
        looks = self._looks_like(planned, fetched)
        self._fail(planned)
        id_ = self._store.quarantine(
            fetched.part,
            path=planned.file.path,
            source_uri=self._judging.source_uri,
            expected=planned.file.digest,
            computed=fetched.computed,
        )
        found = _in_the_same_words(planned, fetched.computed)
        error = DigestMismatch(
            f"{planned.path} is not the file its source names: expected {planned.file.digest}, got "
            f"{found}.{looks} It was not installed, and is in quarantine as {id_}.",
            quarantine_id=id_,
            details={"path": planned.path, "expected": str(planned.file.digest), "computed": found},
        )
        self._observer.say("quarantined", error.message, **error.details)
        return error

    def _looks_like(self, planned: PlannedFile, fetched: Fetched) -> str:
        try:
            check_content(fetched.part, planned.path, self._judging.policy)
        except InvalidFile as error:
            return f" {error.message}"
        except DownloadError:
            return ""
        return ""

    def _fail(self, planned: PlannedFile) -> None:
        self._observer.file(FileProgress(planned.path, FileState.FAILED, 0, planned.file.size, 0))


def _in_the_same_words(planned: PlannedFile, computed: Computed) -> str:
    algorithm = planned.file.digest.algorithm if planned.file.digest else "sha256"
    value = computed.value(algorithm)
    return f"{algorithm}:{value}" if value else f"sha256:{computed.sha256}"


class Leases:
    """The locks of a round of fetching, by the files they are for. Each is let go of when the last
    of its files is published."""

    def __init__(self, store: Store, plan: Plan, held: Held) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._held = {name: lease for name, (lease, _) in held.items()}
        self._left = {name: {file.path for file in files} for name, (_, files) in held.items()}
        self._name_of = {file.path: name for name, (_, files) in held.items() for file in files}
        self._files = {file.path: file for _, files in held.values() for file in files}
        self._plan = plan

    def check(self, files: Iterable[PlannedFile]) -> None:
        """Busy if another process took one over meanwhile."""
        names = {self._name_of[file.path] for file in files}
        with self._lock:
            leases = [self._held[name] for name in names if name in self._held]
        for lease in leases:
            lease.check()

    def finished(self, published: Mapping[str, str]) -> None:
        """Paths and their blobs. What no source's digest would find again is noted first."""
        for name in {self._name_of[path] for path in published}:
            mine = {path: published[path] for path in published if self._name_of[path] == name}
            self._note(name, mine)
            with self._lock:
                self._left[name] -= mine.keys()
                lease = None if self._left[name] else self._held.pop(name, None)
            if lease is not None:
                self._store.let_go(lease)

    def _note(self, name: str, published: Mapping[str, str]) -> None:
        found = {
            identity(self._plan, self._files[path]): sha256
            for path, sha256 in published.items()
            if not is_named(self._files[path])
        }
        if found:
            self._store.note(name, found)

    def let_go(self) -> None:
        """Of all that are left."""
        with self._lock:
            leases, self._held = list(self._held.values()), {}
        for lease in leases:
            self._store.let_go(lease)
