"""What the supervisor clears at its start lies in the data directory, or the start is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from dreamforge_site.environment import read
from dreamforge_site.supervisor import preparation
from dreamforge_site.supervisor.errors import StartError

pytestmark = pytest.mark.pure


@pytest.mark.parametrize("name", ["broker", "broker/drafts", "run", "run/metrics"])
def test_a_link_in_place_of_a_folder_to_clear_is_refused(tmp_path: Path, name: str) -> None:
    data_dir, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "1-1-1.json").write_text("kept")
    link = data_dir / name
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    with pytest.raises(StartError, match="is a symbolic link") as refusal:
        preparation.folders(read({"DF_DATA_DIR": str(data_dir)}))
    assert str(link) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert [path.name for path in elsewhere.iterdir()] == ["1-1-1.json"]


def test_a_data_directory_that_is_a_link_is_fine(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    preparation.folders(read({"DF_DATA_DIR": str(tmp_path / "data")}))
    assert (tmp_path / "disk" / "run").is_dir()
