"""What the service processes load: a fresh interpreter in which torch cannot be imported at all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dreamforge_site.environment import BASE_DIR
from tests import environment

pytestmark = pytest.mark.pure

REFUSE = """
import json, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "diffusers", "transformers", "accelerate"}:
            raise AssertionError(f"the service imports {name}")

sys.meta_path.insert(0, Refuse())
"""
TELL = """
heavy = ("torch", "diffusers", "transformers", "accelerate", "opentelemetry", "boto3")
print(json.dumps(sorted(name for name in heavy if name in sys.modules)))
"""
WEB = """
import dreamforge_site.asgi, dreamforge_site.wsgi
from django.contrib import admin
from django.urls import get_resolver
admin.autodiscover()
assert get_resolver().url_patterns
"""
WORKER = """
import django; django.setup()
from dreamforge_site.celery import app
app.loader.import_default_modules()
assert [name for name in app.tasks if name.startswith("dreamforge.")], sorted(app.tasks)
"""


@pytest.mark.parametrize("process", [WEB, WORKER], ids=["web", "worker"])
def test_a_service_process_loads_no_torch_and_no_tracing(process: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", REFUSE + process + TELL],
        cwd=BASE_DIR,
        env={
            **environment.clean(),
            "DJANGO_SETTINGS_MODULE": "dreamforge_site.settings",
            "DF_DATA_DIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_the_refusal_itself_works(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", REFUSE + "import torch.nn"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "the service imports torch" in done.stderr
