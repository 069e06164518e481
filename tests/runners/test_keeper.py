"""Real children that draw, crash, hang and ignore; the parent's word stands."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest

from runners.errors import RunnerError
from runners.protocol import (
    Draw,
    EngineSettings,
    Item,
    ItemDone,
    ItemStarted,
    ModelFiles,
    Step,
    ToParent,
)
from runners.supervision import Keeper, Limits, Listener

pytestmark = [pytest.mark.pure, pytest.mark.live]

ONE = ModelFiles("", "none", "one")
TWO = ModelFiles("", "none", "two")
M = TypeVar("M")
MARK = "DREAMFORGE_TEST_MARK"
PATIENT = Limits()
QUICK = Limits(item_s=1.0, silence_s=0.5, cancel_s=0.5, end_s=0.2)


class Ear(Listener):
    def __init__(self, on: Callable[[ToParent], None] = lambda _said: None) -> None:
        self.said: list[ToParent] = []
        self._on = on

    def heard(self, message: ToParent) -> None:
        self.said.append(message)
        self._on(message)

    def of(self, kind: type[M]) -> list[M]:
        return [said for said in self.said if isinstance(said, kind)]


class Bench:
    """One keeper, and what it draws."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = f"{os.getpid()}-{folder.name}"
        self.stop = threading.Event()
        self.keeper = Keeper("fake", "cpu", 60, {MARK: self.mark})

    def fault(self, what: str, keep_alive_s: float = 60) -> None:
        self.keeper.close()
        environ = {MARK: self.mark, "DREAMFORGE_RUNNER_FAULT": what}
        self.keeper = Keeper("fake", "cpu", keep_alive_s, environ)

    def slow(self, step_ms: int) -> None:
        self.keeper.close()
        environ = {MARK: self.mark, "DREAMFORGE_FAKE_STEP_MS": str(step_ms)}
        self.keeper = Keeper("fake", "cpu", 60, environ)

    def draw(
        self,
        *seeds: int | None,
        model: ModelFiles = ONE,
        limits: Limits = PATIENT,
        ear: Ear | None = None,
        steps: int = 3,
    ) -> Ear:
        ear = ear or Ear()
        request = Draw(
            id=f"job/{len(seeds)}",
            prompt="a lighthouse",
            negative_prompt="",
            width=64,
            height=64,
            steps=steps,
            guidance=7.0,
            scheduler="euler",
            format="png",
            out_dir=str(self.folder),
            items=tuple(Item(at, seed) for at, seed in enumerate(seeds)),
            embed_metadata=False,
        )
        self.keeper.draw(model, EngineSettings(), request, limits, ear, self.stop)
        return ear

    def failed(self, *seeds: int | None) -> RunnerError:
        with pytest.raises(RunnerError) as error:
            self.draw(*seeds, limits=QUICK)
        return error.value

    def processes(self) -> list[int]:
        """Every living process that came from our children."""
        wanted = f"{MARK}={self.mark}".encode()
        return [pid for pid in _pids() if wanted in _environ(pid)]


def _pids() -> list[int]:
    return [int(place.name) for place in Path("/proc").iterdir() if place.name.isdecimal()]


def _environ(pid: int) -> bytes:
    with suppress(OSError):
        if _state(pid) != "Z":
            return Path(f"/proc/{pid}/environ").read_bytes()
    return b""


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.keeper.close()


def test_every_item_is_started_stepped_through_and_done(bench: Bench) -> None:
    ear = bench.draw(5, None)
    assert [said.index for said in ear.of(ItemStarted)] == [0, 1]
    assert len(ear.of(Step)) == 6
    first, second = ear.of(ItemDone)
    assert first.seed == 5
    assert second.seed >= 0
    assert Path(first.path).stat().st_size == first.size_bytes


def test_the_same_seed_gives_the_same_bytes(bench: Bench) -> None:
    one, two = bench.draw(7, 7).of(ItemDone)
    assert one.sha256 == two.sha256


def test_the_child_stays_for_the_next_job_of_the_same_model(bench: Bench) -> None:
    bench.draw(1)
    first = bench.keeper.child_pid
    bench.draw(2)
    assert bench.keeper.child_pid == first
    assert bench.keeper.warm_model == "one"


def test_another_model_gets_a_child_of_its_own(bench: Bench) -> None:
    bench.draw(1)
    first = bench.keeper.child_pid
    bench.draw(2, model=TWO)
    assert bench.keeper.child_pid != first
    assert bench.keeper.warm_model == "two"
    assert bench.processes() == [bench.keeper.child_pid]


def test_an_idle_child_is_ended(bench: Bench) -> None:
    bench.fault("", keep_alive_s=0.1)
    bench.draw(1)
    _until(lambda: not bench.processes())
    assert bench.keeper.warm_model is None


def test_without_a_time_to_keep_it_no_child_stays(bench: Bench) -> None:
    bench.fault("", keep_alive_s=0)
    bench.draw(1)
    assert bench.processes() == []


@pytest.mark.parametrize(
    ("fault", "code", "reason"),
    [
        ("raise", "provider_error", "engine_error"),
        ("gpu-oom", "oom", "gpu_oom"),
        ("host-oom", "oom", "host_oom"),
        ("exhaust", "oom", "host_oom"),
        ("nan", "provider_error", "nan_output"),
        ("segv", "provider_error", "crash:SIGSEGV"),
        ("kill", "worker_lost", "crash:SIGKILL"),
        ("exit", "provider_error", "exit:1"),
        ("hang", "timeout", "deadline"),
        ("deaf", "timeout", "deadline"),
        ("grandchild", "timeout", "deadline"),
    ],
)
def test_a_fault_is_named_and_leaves_no_process(
    bench: Bench, fault: str, code: str, reason: str
) -> None:
    bench.fault(f"{fault}@step:2")
    error = bench.failed(1, 2)
    assert (error.code, error.reason) == (code, reason)
    _until(lambda: not bench.processes())  # a grandchild is init's to bury


def test_a_flood_on_both_outputs_is_drained_and_harms_nothing(bench: Bench) -> None:
    bench.fault("flood@step:2")
    assert len(bench.draw(1).of(ItemDone)) == 1


def test_a_fault_at_the_second_item_keeps_the_first(bench: Bench) -> None:
    bench.fault("segv@item:1")
    ear = Ear()
    with pytest.raises(RunnerError):
        bench.draw(1, 2, ear=ear)
    (done,) = ear.of(ItemDone)
    assert Path(done.path).exists()


def test_after_a_fault_the_next_job_is_drawn(bench: Bench) -> None:
    bench.fault("exit@item:1")
    bench.failed(1, 2)
    assert len(bench.draw(1).of(ItemDone)) == 1


def test_what_the_child_wrote_last_is_kept_for_the_operator(bench: Bench) -> None:
    bench.fault("raise@step:1")
    assert "a fault on purpose" in bench.failed(1).detail


def test_a_cancel_ends_the_drawing_and_keeps_the_child(bench: Bench) -> None:
    bench.slow(20)
    ear = Ear(lambda said: bench.stop.set() if isinstance(said, Step) else None)
    with pytest.raises(RunnerError) as canceled:
        bench.draw(1, steps=200, ear=ear)
    assert canceled.value.code == "canceled"
    child = bench.keeper.child_pid
    assert child is not None
    bench.stop.clear()
    bench.draw(1)
    assert bench.keeper.child_pid == child


def test_who_does_not_hear_a_cancel_is_killed(bench: Bench) -> None:
    bench.fault("deaf@step:2")
    ear = Ear(lambda said: bench.stop.set() if isinstance(said, Step) else None)
    with pytest.raises(RunnerError) as canceled:
        bench.draw(1, limits=Limits(cancel_s=0.3), ear=ear)
    assert canceled.value.code == "canceled"
    assert bench.processes() == []


def test_an_exception_of_the_listener_ends_the_child(bench: Bench) -> None:
    def fall_over(_said: ToParent) -> None:
        raise LookupError("the job is not ours any more")

    with pytest.raises(LookupError):
        bench.draw(1, ear=Ear(fall_over))
    assert bench.processes() == []


def test_closing_ends_the_child_whatever_it_does(bench: Bench) -> None:
    bench.draw(1)
    bench.keeper.close()
    _until(lambda: not bench.processes())


def test_a_child_knows_no_secret_of_ours(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "canary")
    monkeypatch.setenv("DF_SECRET_KEY", "canary")
    bench.draw(1)
    assert bench.keeper.child_pid is not None
    assert b"canary" not in _environ(bench.keeper.child_pid)


def _until(holds: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < give_up_at, "it never came"
        time.sleep(0.02)
