"""The plug-in of the documents, found as an installer would leave it and used as a user would."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from downloader.library import errors, refs
from downloader.library.checksums import Trust
from downloader.library.http import Client
from downloader.library.sources import registered
from downloader.library.sources.base import Source
from downloader.library.transfer import Engine, Target, TransferOptions
from downloader.library.watch import Control, Observer
from tests.hubs import Hub, InMemory

pytestmark = pytest.mark.pure

DOCS = Path(__file__).resolve().parents[4] / "docs"
EXAMPLE = DOCS / "examples" / "dreamforge_example_source"
MODULE = "dreamforge_example_source"
ALLOWED = ("hf", "index")
WEIGHTS = b"weights" * 20_000
REF = refs.parse("index:tiny@1.0", schemes=ALLOWED)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The module on the path, and beside it the metadata its pyproject.toml asks for."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    info = tmp_path / f"{MODULE}-{project['version']}.dist-info"
    info.mkdir()
    name, version = project["name"], project["version"]
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = [
        f"[{group}]\n" + "".join(f"{scheme} = {value}\n" for scheme, value in points.items())
        for group, points in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLE)
    yield
    sys.modules.pop(MODULE, None)


@pytest.fixture
def source(installed: None, hub: Hub, client: Client, monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.setenv("EXAMPLE_INDEX_ENDPOINT", hub.web_origin)
    return registered.make("index", client, allowed=ALLOWED)


def publish(hub: Hub, **changes: object) -> None:
    line = {
        "path": "tiny.safetensors",
        "size": len(WEIGHTS),
        "sha256": InMemory(WEIGHTS).sha256,
        **changes,
    }
    index = {"title": "Tiny", "licence": "mit", "kind": "lora", "files": [line]}
    hub.web.add("/tiny/1.0/index.json", json.dumps(index))
    hub.web.add("/tiny/1.0/tiny.safetensors", WEIGHTS)


def test_the_example_resolves_fetches_verifies_and_describes(
    hub: Hub, client: Client, source: Source, control: Control, tmp_path: Path
) -> None:
    publish(hub)
    resolved = source.resolve(REF, control)
    (file,) = resolved.files
    engine = Engine(client, TransferOptions())
    target = Target(tmp_path / "tiny.part")
    fetched = source.fetch(engine, resolved, {file.path: target}, control, Observer())[file.path]
    assert fetched.part.read_bytes() == WEIGHTS
    assert source.verify(file, fetched.computed) is Trust.VERIFIED
    descriptor = source.to_model_descriptor(resolved)
    assert (descriptor.name, descriptor.version, descriptor.kind) == ("tiny", "1.0", "lora")
    assert descriptor.provenance["licence"] == "mit"
    assert descriptor.source_uri == "index:tiny@1.0"


@pytest.mark.parametrize(
    "changes", [{"sha256": "abc"}, {"sha256": None}, {"size": "many"}, {"path": 5}]
)
def test_an_index_that_makes_no_sense_is_an_error(
    hub: Hub, source: Source, control: Control, changes: dict[str, object]
) -> None:
    publish(hub, **changes)
    with pytest.raises(errors.ProtocolViolation, match="is not the index of a model"):
        source.resolve(REF, control)


def test_what_is_absent_is_not_found(source: Source, control: Control) -> None:
    with pytest.raises(errors.NotFound, match=r"no tiny in version 1\.0"):
        source.resolve(REF, control)


@pytest.mark.usefixtures("installed")
def test_without_its_setting_it_says_what_to_set(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EXAMPLE_INDEX_ENDPOINT", raising=False)
    with pytest.raises(errors.Refused, match="Set EXAMPLE_INDEX_ENDPOINT"):
        registered.make("index", client, allowed=ALLOWED)


@pytest.mark.usefixtures("installed")
def test_it_is_off_until_the_operator_allows_it(client: Client) -> None:
    with pytest.raises(errors.Refused, match="index: is not allowed here"):
        registered.make("index", client)
    assert MODULE not in sys.modules


def test_the_document_shows_the_entry_point_of_the_example() -> None:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    ((scheme, value),) = project["entry-points"][registered.GROUP].items()
    assert f'{scheme} = "{value}"' in (DOCS / "sources.md").read_text()


def test_the_document_names_every_built_in_source() -> None:
    table = (DOCS / "sources.md").read_text()
    assert [scheme for scheme in registered.BUILT_IN if f"| `{scheme}:" not in table] == []
