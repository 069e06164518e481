"""The model in memory, and what is asked of it."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from typing import Any

from runners.engines.base import Picture, Say, Seeded, Tell, Watching, unheard
from runners.engines.sdxl import (
    drawing,
    loading,
    memory,
    placement,
    prompts,
    schedulers,
    surroundings,
)
from runners.engines.sdxl.parts import Parts
from runners.engines.sdxl.prompts import Encoded
from runners.errors import RunnerError
from runners.protocol import Draw, EngineSettings, Memory, ModelFiles

Words = tuple[str, str, bool]  # the prompt, what to keep away from, whether that guides


class SdxlEngine:
    name = "sdxl"

    def __init__(self, device: str) -> None:
        surroundings.silence()
        self._device = placement.device_of(device)
        self._loaded: tuple[ModelFiles, EngineSettings] | None = None
        self._model: Parts | None = None
        self._encoded: tuple[Words, Encoded] | None = None
        self._warned = ""  # the request whose log says what its scheduler cannot do

    def load(
        self, model: ModelFiles, settings: EngineSettings, say: Say, tell: Tell = unheard
    ) -> None:
        """Does nothing when it is loaded so already. After a failure nothing is loaded."""
        if self._loaded == (model, settings):
            return
        placement.check(settings)
        self._drop()
        memory.start_peak(self._device)
        self._model = loading.load(model, settings, self._device, say, tell)
        self._loaded = (model, settings)

    def draw(
        self, request: Draw, items: Sequence[Seeded], watching: Watching, say: Say
    ) -> list[Picture]:
        if self._model is None:
            raise RunnerError("internal", "No model is loaded.", reason="not_loaded")
        memory.start_peak(self._device)
        pipe, trained = self._model.pipe, self._model.trained
        self._warn(request, trained, say)
        return drawing.draw(pipe, trained, request, items, self._read(request), watching)

    def _warn(self, request: Draw, trained: Mapping[str, Any], say: Say) -> None:
        """Once a request, whose passes all come here."""
        if self._warned != request.id and (why := schedulers.warning(request.scheduler, trained)):
            self._warned = request.id
            say("warning", "scheduler_ignores", why)

    def memory(self) -> Memory:
        return memory.read(self._device)

    def _read(self, request: Draw) -> Encoded:
        """Computed once for all passes of a request, and kept for the next that says the same."""
        words = (request.prompt, request.negative_prompt, request.guidance > 1)
        if self._encoded is None or self._encoded[0] != words:
            assert self._model is not None  # noqa: S101  draw looked
            prompt, negative, guided = words
            encoded = prompts.encode(self._model.pipe, prompt, negative, guided=guided)
            self._encoded = (words, encoded)
        return self._encoded[1]

    def _drop(self) -> None:
        if self._model is None:
            return
        self._loaded = self._model = self._encoded = None
        gc.collect()
        memory.give_back(self._device)
