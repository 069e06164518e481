"""The child's loop: load, draw, say."""

from __future__ import annotations

import argparse
import os
import time
import traceback
from collections.abc import Iterator, Sequence

from runners import engines, seeds
from runners.child import files, lifeline
from runners.child.line import Line
from runners.child.troubles import failure_of
from runners.engines.base import Engine, Say, Seeded, Tell
from runners.errors import CanceledHere
from runners.protocol import (
    Bye,
    Canceled,
    Done,
    Draw,
    Finalizing,
    Hello,
    Item,
    ItemDone,
    ItemStarted,
    Load,
    Loaded,
    Loading,
    Note,
    Step,
)

DETAIL_LIMIT = 20_000


def main(words: Sequence[str] | None = None) -> None:
    wanted = _parsed(words)
    lifeline.tie_to(wanted.parent)
    line = Line(lifeline.take_over(wanted.fd))
    lifeline.leave_when_told(line.ended)
    line.listen()
    try:
        engine = engines.make(wanted.engine, wanted.device)
        line.say(Hello(engine.name, wanted.device, os.getpid()))
        _serve(engine, line)
    except BaseException as error:  # noqa: BLE001  the child's outermost border
        line.say(failure_of(error, detail=_trace(error)))
        lifeline.leave(1)
    lifeline.leave()


def _parsed(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m runners")
    parser.add_argument("--engine", required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--fd", type=int, required=True, help="where messages go")
    parser.add_argument("--parent", type=int, required=True, help="whose end ends this process")
    return parser.parse_args(words)


def _serve(engine: Engine, line: Line) -> None:
    while not isinstance(message := line.inbox.get(), Bye):
        if isinstance(message, Load):
            _load(engine, message, line)
        elif isinstance(message, Draw):
            _draw(engine, message, line)


def _load(engine: Engine, message: Load, line: Line) -> None:
    started_at = time.monotonic()
    engine.load(message.model, message.settings, _saying(line), _telling(line))
    line.say(Loaded(time.monotonic() - started_at, engine.memory()))


def _draw(engine: Engine, request: Draw, line: Line) -> None:
    try:
        for items in _passes(request):
            _draw_pass(engine, request, items, line)
    except CanceledHere:
        line.forget(request.id)
        line.say(Canceled())
        return
    line.say(Done(engine.memory()))


def _passes(request: Draw) -> Iterator[tuple[Item, ...]]:
    size = max(1, request.parallel)
    for at in range(0, len(request.items), size):
        yield request.items[at : at + size]


def _draw_pass(engine: Engine, request: Draw, items: tuple[Item, ...], line: Line) -> None:
    watching = _Watching(request.id, line)
    watching.check()
    started_at = time.monotonic()
    seeded = [
        Seeded(item.index, seeds.fresh() if item.seed is None else item.seed) for item in items
    ]
    for item in seeded:
        line.say(ItemStarted(item.index, item.seed))
    pictures = engine.draw(request, seeded, watching, _saying(line))
    for item, picture in zip(seeded, pictures, strict=True):
        written = files.write(picture, request, item)
        thumbnail = files.write_thumbnail(picture, written.path, _saying(line))
        line.say(
            ItemDone(
                index=item.index,
                seed=item.seed,
                path=str(written.path),
                sha256=written.sha256,
                pixels_sha256=written.pixels_sha256,
                size_bytes=written.size_bytes,
                width=picture.width,
                height=picture.height,
                format=request.format,
                seconds=time.monotonic() - started_at,
                memory=engine.memory(),
                thumbnail_path=str(thumbnail) if thumbnail else None,
            )
        )


class _Watching:
    def __init__(self, request_id: str, line: Line) -> None:
        self._request_id = request_id
        self._line = line

    def check(self) -> None:
        if self._line.is_canceled(self._request_id):
            raise CanceledHere

    def step(self, index: int, step: int, steps: int) -> None:
        self.check()
        self._line.say(Step(index, step, steps))

    def finalizing(self, index: int) -> None:
        self.check()
        self._line.say(Finalizing(index))


def _saying(line: Line) -> Say:
    return lambda level, code, message: line.say(Note(level, code, message))


def _telling(line: Line) -> Tell:
    return lambda done: line.say(Loading(done))


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))[-DETAIL_LIMIT:]
