"""Getting a model: whatever of it is not in the store is fetched, once, and it is installed.

Two processes that want the same file do not fetch it twice: a large file is locked by its digest,
the small ones of a revision together. Who comes second waits, and finds the blobs. Nobody waits
while holding a lock, so no two can wait for each other.

What was fetched stays, whatever happens: finished files as blobs, others as partial files that the
next run goes on with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from downloader.library import install
from downloader.library.errors import NoSpace
from downloader.library.finding import Finding
from downloader.library.identities import identity, is_named, lock_name
from downloader.library.install import Stored
from downloader.library.plan import Plan, PlannedFile
from downloader.library.publishing import Held, Judging, Leases, Publisher
from downloader.library.recognition import recognised
from downloader.library.remote import Location, RemoteFile
from downloader.library.safety import check_content
from downloader.library.sources.base import Source
from downloader.library.store import Before, Claim, Lease, Store
from downloader.library.transfer import Engine, Fetched, Target
from downloader.library.watch import Control, FileProgress, FileState, Observer
from registry.descriptors import Descriptor

RESERVE_BYTES = 64 << 20


@dataclass(frozen=True)
class Acquired:
    """`received_bytes` came over the network in this run; `already_here_bytes` did not need to."""

    descriptor: Descriptor
    received_bytes: int
    already_here_bytes: int


def acquire(
    source: Source,
    plan: Plan,
    store: Store,
    engine: Engine,
    control: Control,
    observer: Observer,
    *,
    force: bool = False,
) -> Acquired:
    """Everything the plan names, fetched, verified and installed; or an error, and nothing
    installed.

    NoSpace before a byte moves, where the sizes are known. DigestMismatch when bytes are not what
    the source names; they are in quarantine then. AlreadyInstalled when other content stands under
    this name, unless `force`.
    """
    if not force:
        install.refuse_early(plan, store)
    judging = Judging(source, plan.resolved.source_uri, plan.policy, tuple(store.overrides()))
    with store.claim() as claim:
        run = Acquisition(plan, judging, store, engine, claim, control, observer)
        stored = run.bring()
        control.check()
        base = source.to_model_descriptor(plan.resolved)
        plan = recognised(plan, stored, store)
        descriptor = install.install(plan, stored, base, store, claim, force=force)
        run.tidy()
    observer.say(
        "installed", f"{descriptor.name} is in {descriptor.local_path}.", path=descriptor.local_path
    )
    return Acquired(descriptor, run.received, run.already_here)


class Acquisition:
    """Bringing the bytes of a plan into the store, whatever is made of them then."""

    def __init__(
        self,
        plan: Plan,
        judging: Judging,
        store: Store,
        engine: Engine,
        claim: Claim,
        control: Control,
        observer: Observer,
    ) -> None:
        self._plan = plan
        self._judging = judging
        self._store = store
        self._engine = engine
        self._claim = claim
        self._control = control
        self._observer = observer
        self._finding = Finding(plan, judging, store, control)
        self._targets: Mapping[str, Target] = {}
        self._stored: dict[str, Stored] = {}
        self.received = 0
        self.already_here = 0

    def bring(self) -> Mapping[str, Stored]:
        """Every file of the plan as a blob, by its path."""
        keys = {file.path: identity(self._plan, file) for file in self._plan.files}
        targets = self._store.targets(keys.values())
        self._targets = {path: targets[key] for path, key in keys.items()}
        missing = self._missing(self._plan.files)
        self._claim.add(staged=self._staged(missing))
        self._need_space(missing)
        waiting = self._by_lock(missing)
        while waiting:
            held = self._locks(waiting)
            for name in held:
                del waiting[name]
            waiting |= self._by_lock(self._bring(held))
        self._store.settle(stored.sha256 for stored in self._stored.values())
        return self._stored

    def tidy(self) -> None:
        """The descriptor says now what the notes said."""
        unnamed = [file for file in self._plan.files if not is_named(file)]
        self._store.forget_notes(self._by_lock(unnamed))

    def _missing(self, files: Sequence[PlannedFile]) -> list[PlannedFile]:
        self._finding.look(files, self._claim)
        return [file for file in files if not self._is_here(file)]

    def _is_here(self, planned: PlannedFile) -> bool:
        self._control.check()
        found = self._finding.find(planned)
        if found is None:
            return False
        check_content(self._store.blob(found.sha256), planned.path, self._judging.policy)
        self._stored[planned.path] = found
        self.already_here += found.size
        self._store.forget(self._targets[planned.path])  # of a run that died before it tidied up
        self._observer.file(FileProgress(planned.path, FileState.DONE, found.size, found.size, 0))
        self._observer.say(
            "already_here", f"{planned.path} is here already.", path=planned.path, size=found.size
        )
        return True

    def _staged(self, missing: Iterable[PlannedFile]) -> list[str]:
        targets = [self._targets[file.path] for file in missing]
        return [path.name for target in targets for path in (target.part, target.ledger)]

    def _need_space(self, missing: Sequence[PlannedFile]) -> None:
        """Of what is not on the disk yet, with a reserve; unknown sizes show when it is full."""
        free = self._store.free_bytes()
        staged = self._store.staged_bytes(self._targets[file.path] for file in missing)
        sizes = [(file.file.size or 0, staged[self._targets[file.path]]) for file in missing]
        needed = sum(max(0, size - have) for size, have in sizes)
        if free is None or not missing or needed + RESERVE_BYTES <= free:
            return
        short = needed + RESERVE_BYTES - free
        raise NoSpace(
            f"{needed} bytes are to be fetched, {free} are free in {self._store.root}, and "
            f"{RESERVE_BYTES} stay in reserve: free {short} more.",
            details={"needed": needed, "free": free, "short": short},
        )

    def _by_lock(self, files: Iterable[PlannedFile]) -> dict[str, list[PlannedFile]]:
        named: dict[str, list[PlannedFile]] = {}
        for file in files:
            named.setdefault(lock_name(self._plan, file), []).append(file)
        return named

    def _locks(self, waiting: Mapping[str, Sequence[PlannedFile]]) -> Held:
        """Those that are free; if none is, the first one, however long it takes."""
        held: dict[str, tuple[Lease, Sequence[PlannedFile]]] = {}
        try:
            for name in sorted(waiting):
                lease = self._store.lock_now(name)
                if lease is not None:
                    held[name] = (lease, waiting[name])
            if not held:
                name = min(waiting)
                lease = self._store.lock_wait(name, self._control, self._observer)
                held[name] = (lease, waiting[name])
        except BaseException:
            Leases(self._store, self._plan, held).let_go()
            raise
        return held

    def _bring(self, held: Held) -> Sequence[PlannedFile]:
        """Fetch what is not here. Of files with the same bytes one is enough; the others are the
        answer, to be found in the store by the next round."""
        leases = Leases(self._store, self._plan, held)
        try:
            # Somebody else may have brought some of them while we waited.
            missing = self._missing([file for _, files in held.values() for file in files])
            wanted = {identity(self._plan, file): file for file in missing}
            self._distrust(wanted.values(), held)
            if wanted:
                self._fetch(tuple(wanted.values()), leases)
        finally:
            leases.let_go()
        return [file for file in missing if wanted[identity(self._plan, file)] is not file]

    def _distrust(self, wanted: Iterable[PlannedFile], held: Held) -> None:
        """A holder who only fell silent may wake up and write on: its partial files are not ours
        to go on with."""
        for file in wanted:
            lease, _ = held[lock_name(self._plan, file)]
            if lease.before is Before.SILENT:
                self._store.forget(self._targets[file.path])

    def _fetch(self, wanted: Sequence[PlannedFile], leases: Leases) -> None:
        publisher = Publisher(
            self._judging, self._store, self._claim, leases, self._control, self._observer
        )
        publisher.start(len(wanted))
        relay = _Relay(publisher, self._observer, wanted)
        try:
            fetched = self._judging.source.fetch(
                _announcing(self._engine, relay.done),
                self._plan.resolved,
                {file.file.path: self._targets[file.path] for file in wanted},
                self._control,
                relay,
            )
            for path in fetched:  # those of a source that does not use our engine
                relay.done(path, fetched[path])
        except BaseException:
            publisher.stop()
            raise
        else:
            publisher.finish()
        finally:
            self._stored |= publisher.stored
            self.received += publisher.received


class _Relay(Observer):
    """Between a source, which tells of files by its own paths, and who watches, who knows them by
    the planned ones. A file that has arrived is done only when it is published."""

    def __init__(
        self, publisher: Publisher, observer: Observer, wanted: Iterable[PlannedFile]
    ) -> None:
        self._publisher = publisher
        self._observer = observer
        self._files = {file.file.path: file for file in wanted}
        self._arrived: set[str] = set()

    def done(self, path: str, fetched: Fetched) -> None:
        if path not in self._arrived:
            self._arrived.add(path)
            self._publisher.take(self._files[path], fetched)

    def file(self, progress: FileProgress) -> None:
        file = self._files.get(progress.path)
        if file is None or progress.path in self._arrived:
            return
        state = FileState.DOWNLOADING if progress.state is FileState.DONE else progress.state
        self._observer.file(replace(progress, path=file.path, state=state))

    def say(self, code: str, message: str, **facts: object) -> None:
        self._observer.say(code, message, **facts)


class _Announcing(Engine):
    """An engine that tells of each file as it is complete, whichever source asks it to fetch."""

    announce: Callable[[str, Fetched], None] | None = None

    def fetch(
        self,
        wanted: Mapping[str, tuple[RemoteFile, Target]],
        locate: Callable[[RemoteFile], Location],
        control: Control,
        observer: Observer,
        done: Callable[[str, Fetched], None] | None = None,
    ) -> dict[str, Fetched]:
        return super().fetch(wanted, locate, control, observer, done or self.announce)


def _announcing(engine: Engine, announce: Callable[[str, Fetched], None]) -> Engine:
    made = _Announcing(engine.client, engine.options, engine.bucket)
    made.bucket = engine.bucket  # one cap for all
    made.announce = announce
    return made
