"""A model that is removed while a job draws with it (D8)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from downloader import removal
from jobs import submission
from jobs.generation import storing
from jobs.models import Artifact
from registry.models import Model
from tests.downloader.conftest import downloaded, run_next
from tests.jobs.generation.conftest import asked, pretending

pytestmark = pytest.mark.django_db
__all__ = ["pretending"]  # a fixture of this module too


def test_a_job_that_draws_goes_on_when_its_model_is_removed_and_the_next_one_is_refused(
    checkpoint: str, models_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    downloaded(checkpoint, name="forge")
    model = Model.objects.get()
    params = {**asked(count=3), "model_id": str(model.pk)}
    submission.submit("generate", params, None)
    submission.submit("generate", params, None)
    real = storing.store

    def removing_first(*words: Any) -> Any:
        if Model.objects.filter(pk=model.pk).exists():
            removal.remove(model)
        return real(*words)

    monkeypatch.setattr(storing, "store", removing_first)
    drawing, waiting = run_next("gpu"), run_next("gpu")
    assert (drawing.status, drawing.error_message) == ("succeeded", "")
    assert Artifact.objects.filter(job=drawing).count() == 3
    assert (waiting.status, waiting.error_code) == ("failed", "invalid_model")
    assert not list(models_root.glob("*/forge@*"))
