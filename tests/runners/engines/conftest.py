"""A tiny SDXL, made once a run, and an engine that holds it. No network anywhere in here."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from runners.protocol import EngineSettings, ModelFiles
from tests.runners.engines.asking import Notes

if TYPE_CHECKING:
    from runners.engines.sdxl.engine import SdxlEngine


@dataclass(frozen=True)
class Tiny:
    """The same weights as a folder and as a single file; `pipe` is what they were written from."""

    pipe: Any
    path: Path
    single_path: Path

    @property
    def folder(self) -> ModelFiles:
        return ModelFiles(str(self.path), "diffusers", "tiny")

    @property
    def single(self) -> ModelFiles:
        return self.of_single(self.single_path)

    def of_single(self, path: Path) -> ModelFiles:
        return ModelFiles(str(path), "single-file", f"tiny {path}", str(self.path))


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_args: object, **_kwargs: object) -> NoReturn:
        raise AssertionError("the engine asks the network")

    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket.socket, "connect_ex", refused)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    import torch

    from tests.runners.engines.sdxl import models

    torch.set_num_threads(1)  # several wait for each other, and for other processes
    folder = tmp_path_factory.mktemp("sdxl")
    pipe = models.tiny()
    path = models.save_folder(pipe, folder / "folder")
    return Tiny(pipe, path, models.save_single_file(pipe, folder / "tiny.safetensors"))


@pytest.fixture(scope="session")
def shared_engine(tiny: Tiny) -> SdxlEngine:
    from runners.engines.sdxl.engine import SdxlEngine

    engine = SdxlEngine("cpu")
    engine.load(tiny.folder, EngineSettings(), Notes())
    return engine


@pytest.fixture
def engine(shared_engine: SdxlEngine, tiny: Tiny) -> SdxlEngine:
    """With the tiny folder loaded, whatever the test before did."""
    shared_engine.load(tiny.folder, EngineSettings(), Notes())
    return shared_engine


@pytest.fixture
def fresh_engine() -> SdxlEngine:
    from runners.engines.sdxl.engine import SdxlEngine

    return SdxlEngine("cpu")
