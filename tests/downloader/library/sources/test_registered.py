"""Which sources there are, and what a plug-in that does not work says."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from downloader.library.errors import Refused
from downloader.library.http import Client
from downloader.library.sources import registered
from downloader.library.sources.civitai import CivitAI
from downloader.library.sources.huggingface import HuggingFace
from downloader.library.sources.local import LocalFiles
from downloader.library.sources.web import WebFile

pytestmark = pytest.mark.pure

SOUND = """
from downloader.library.sources.base import Location, Source

class {name}(Source):
    scheme = "{scheme}"
    label = "A plug-in"

    def resolve(self, ref, control): ...
    def locate(self, resolved, file): ...
    def to_model_descriptor(self, resolved): ...
"""

Plug = Callable[..., None]


@pytest.fixture
def plug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plug]:
    """Make a package as an installer leaves it: a module, and metadata with the entry point."""
    modules: list[str] = []

    def install(scheme: str, code: str, *, module: str = "", name: str = "Plugged") -> None:
        module = module or f"plugged_{scheme.replace('-', '_')}"
        modules.append(module)
        site = tmp_path / module
        info = site / f"{module}-1.0.dist-info"
        info.mkdir(parents=True)
        (site / f"{module}.py").write_text(code)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            f"[{registered.GROUP}]\n{scheme} = {module}:{name}\n"
        )
        monkeypatch.syspath_prepend(site)

    yield install
    for module in modules:
        sys.modules.pop(module, None)


@pytest.mark.parametrize(
    ("scheme", "kind"),
    [("hf", HuggingFace), ("civitai", CivitAI), ("file", LocalFiles), ("https", WebFile)],
)
def test_the_built_in_sources_are_there(client: Client, scheme: str, kind: type) -> None:
    source = registered.make(scheme, client, allowed=("hf", "civitai", "file", "https"))
    assert type(source) is kind
    assert source.scheme == scheme


@pytest.mark.parametrize("scheme", ["file", "https", "other"])
def test_what_nobody_allowed_is_refused_by_name(client: Client, scheme: str) -> None:
    with pytest.raises(Refused, match=f"{scheme}: is not allowed here.*hf, civitai"):
        registered.make(scheme, client)


def test_a_plug_in_is_found_by_its_scheme(client: Client, plug: Plug) -> None:
    plug("mine", SOUND.format(name="Plugged", scheme="mine"))
    source = registered.make("mine", client, allowed=("mine",), settings={"token": "t"})
    assert type(source).__name__ == "Plugged"
    assert source.settings == {"token": "t"}


def test_a_plug_in_that_is_not_allowed_is_not_even_imported(client: Client, plug: Plug) -> None:
    plug("mine", "raise SystemExit('imported')")
    assert registered.make("hf", client).scheme == "hf"
    assert registered.broken() == {}
    assert "plugged_mine" not in sys.modules


def test_a_plug_in_cannot_take_the_place_of_a_built_in_source(client: Client, plug: Plug) -> None:
    plug("hf", SOUND.format(name="Plugged", scheme="hf"))
    assert type(registered.make("hf", client)) is HuggingFace
    assert "plugged_hf" not in sys.modules


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise RuntimeError('s3cret')", "plugged_mine:Plugged of plugged.mine failed to load"),
        ("import not_there_at_all", "failed to load: ModuleNotFoundError"),
        ("Plugged = 5", "is not a class that derives from Source"),
        ("class Plugged: ...", "is not a class that derives from Source"),
        (SOUND.format(name="Plugged", scheme="other"), "registered as 'mine'"),
        (
            SOUND.format(name="Plugged", scheme="mine").replace("def locate", "def find"),
            "does not say how to: locate",
        ),
        ("", "failed to load: AttributeError"),
    ],
)
def test_a_plug_in_that_does_not_work_is_named_and_stops_no_other(
    client: Client, plug: Plug, code: str, words: str
) -> None:
    plug("mine", code)
    plug("fine", SOUND.format(name="Plugged", scheme="fine"))
    allowed = ("hf", "mine", "fine")
    with pytest.raises(Refused, match=words) as raised:
        registered.make("mine", client, allowed=allowed)
    assert "s3cret" not in raised.value.message
    assert list(registered.broken(allowed)) == ["mine"]
    assert registered.make("fine", client, allowed=allowed).label == "A plug-in"


def test_a_plug_in_that_fails_to_start_is_named(client: Client, plug: Plug) -> None:
    failing = "    def __init__(self, client, settings): raise KeyError('endpoint')\n"
    plug("mine", SOUND.format(name="Plugged", scheme="mine") + failing)
    with pytest.raises(Refused, match="failed to start: KeyError"):
        registered.make("mine", client, allowed=("mine",))


def test_a_scheme_that_two_packages_claim_is_used_by_neither(client: Client, plug: Plug) -> None:
    plug("mine", SOUND.format(name="Plugged", scheme="mine"), module="one_plugin")
    plug("mine", SOUND.format(name="Plugged", scheme="mine"), module="other_plugin")
    with pytest.raises(Refused, match=r"several packages have it: .*one.plugin") as raised:
        registered.make("mine", client, allowed=("mine",))
    assert "other" in raised.value.message


def test_a_scheme_nobody_has_says_where_it_was_looked_for(client: Client) -> None:
    with pytest.raises(Refused, match="no installed package has an entry point 'mine'"):
        registered.make("mine", client, allowed=("mine",))


@pytest.mark.parametrize("scheme", ["", "UPPER", "with space", "a" * 40, "1st"])
def test_a_name_that_is_no_scheme_is_refused(client: Client, scheme: str) -> None:
    with pytest.raises(Refused, match="a scheme is lower-case"):
        registered.make(scheme, client, allowed=(scheme,))
