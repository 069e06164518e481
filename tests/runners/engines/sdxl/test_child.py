"""The engine in a real child, under its keeper: offline, warm, canceled, the same bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

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
from tests.runners.engines.asking import request
from tests.runners.engines.conftest import Tiny

pytestmark = [pytest.mark.pure, pytest.mark.live]

# Read by every Python at its start: whoever asks the network leaves a trace and gets an error.
WATCHED = """
import socket
def refuse(*args, **kwargs):
    with open({trace!r}, "a") as file:
        print(args, file=file)
    raise OSError("there is no network")
socket.getaddrinfo = socket.socket.connect = socket.socket.connect_ex = refuse
with open({trace!r} + ".watching", "w"):
    pass
"""


class Ear(Listener):
    def __init__(self, on: Callable[[ToParent], None] = lambda _said: None) -> None:
        self.steps = 0
        self.seeds: list[int] = []
        self.done: list[ItemDone] = []
        self._on = on

    def heard(self, message: ToParent) -> None:
        self.steps += isinstance(message, Step)
        if isinstance(message, ItemStarted):
            self.seeds.append(message.seed)
        if isinstance(message, ItemDone):
            self.done.append(message)
        self._on(message)


class Desk:
    """One keeper whose children cannot reach any network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trace = folder / "asked"
        (folder / "sitecustomize.py").write_text(WATCHED.format(trace=str(self.trace)))
        environ = {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
        self.keeper = Keeper("sdxl", "cpu", 60, environ)
        self.stop = threading.Event()

    def draw(
        self, model: ModelFiles, items: tuple[Item, ...], ear: Ear | None = None, steps: int = 3
    ) -> Ear:
        ear = ear or Ear()
        asked: Draw = request(
            out_dir=str(self.folder), items=items, steps=steps, embed_metadata=False, parallel=2
        )
        self.keeper.draw(model, EngineSettings(), asked, Limits(), ear, self.stop)
        return ear


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.keeper.close()


def test_five_images_are_drawn_offline_and_again_byte_for_byte(desk: Desk, tiny: Tiny) -> None:
    items = tuple(Item(index, 100 + index) for index in range(5))
    first = desk.draw(tiny.folder, items)
    assert first.seeds == [100, 101, 102, 103, 104]
    assert first.steps == 15
    assert len({done.sha256 for done in first.done}) == 5
    warm = desk.keeper.child_pid
    second = desk.draw(tiny.folder, items)
    assert desk.keeper.child_pid == warm
    third = desk.draw(tiny.single, items)  # another model: another child
    assert desk.keeper.child_pid != warm
    hashes = [[done.sha256 for done in ear.done] for ear in (first, second, third)]
    assert hashes[0] == hashes[1]
    assert hashes[0] == hashes[2]
    assert Path(f"{desk.trace}.watching").exists()
    assert not desk.trace.exists()


def test_a_cancel_is_heard_between_two_steps_and_the_child_stays(desk: Desk, tiny: Tiny) -> None:
    ear = Ear(lambda said: desk.stop.set() if isinstance(said, Step) else None)
    with pytest.raises(RunnerError) as canceled:
        desk.draw(tiny.folder, (Item(0, 1),), ear, steps=500)
    assert canceled.value.code == "canceled"
    assert ear.steps < 500
    child = desk.keeper.child_pid
    assert child is not None
    desk.stop.clear()
    assert len(desk.draw(tiny.folder, (Item(0, 1),)).done) == 1
    assert desk.keeper.child_pid == child


def test_a_model_that_is_none_is_told_by_its_code(desk: Desk, tmp_path: Path) -> None:
    gone = ModelFiles(str(tmp_path / "gone"), "diffusers", "gone")
    with pytest.raises(RunnerError) as error:
        desk.draw(gone, (Item(0, 1),))
    assert error.value.code == "invalid_model"
    assert "model_index.json is missing" in error.value.message
