"""`manage.py` as a process, over a data directory of the test's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dreamforge_site.environment import BASE_DIR
from tests import environment


def manage(data_dir: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=BASE_DIR,
        env={**environment.clean(), "DF_DATA_DIR": str(data_dir), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
