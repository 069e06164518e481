"""Looking for news of tracked repositories, and updating on approval."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone
from rest_framework.test import APIClient
from structlog.testing import capture_logs

from downloader.hub import registering, snapshots, updating, watching
from downloader.hub.errors import InvalidState
from downloader.hub.models import Repo
from downloader.hub.watching import Outcome
from downloader.library.errors import Unreachable
from dreamforge_site.accounts.models import User
from jobs import submission
from jobs.models import Event, Job
from registry.models import Model
from tests.downloader.conftest import downloaded, run_next
from tests.downloader.hub.conftest import FILES, NAME, WEIGHTS, mirror
from tests.hubs import Hub, models
from tests.hubs.huggingface import Repository

pytestmark = pytest.mark.django_db

NEW_WEIGHTS = models.sdxl_checkpoint(size=410_000, seed=9)
SECOND = models.sdxl_checkpoint(size=50_000, seed=4)
THIRD = models.sdxl_checkpoint(size=60_000, seed=5)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PAUSE_S", 0.0)


@pytest.fixture
def whole(synced: Repo) -> Repo:
    """Everything of it is here."""
    assert mirror(synced).status == "succeeded"
    return registering.get(synced.pk)


def look(*repos: Repo) -> Job:
    params = {"repo_ids": [str(repo.pk) for repo in repos]} if repos else {}
    submission.submit("watch", params, None)
    job = run_next()
    assert job.status == "succeeded", job.error_message
    return job


def repository(hub: Hub) -> Repository:
    return hub.huggingface[NAME]


def move(hub: Hub) -> str:
    """Upstream changes the weights of the unet, drops the readme and adds a file."""
    files = {
        "README.md": None,
        "unet/model.safetensors": NEW_WEIGHTS,
        "unet/second.safetensors": SECOND,
        "elsewhere/third.safetensors": THIRD,
    }
    return repository(hub).commit(files)


def test_a_branch_that_stands_where_it_was_is_no_news(whole: Repo, hub: Hub) -> None:
    before = hub.bytes_sent("*.safetensors", origin="cdn")
    assert look(whole).summary["same"] == 1
    repo = registering.get(whole.pk)
    assert (repo.update_commit, repo.update, repo.snapshot_id) == ("", {}, whole.snapshot_id)
    assert repo.checked_at is not None
    assert hub.bytes_sent("*.safetensors", origin="cdn") == before


def test_looking_costs_one_request_when_nothing_has_moved(whole: Repo, hub: Hub) -> None:
    before = len(hub.requests.of(f"*{NAME}*"))
    look(whole)
    assert len(hub.requests.of(f"*{NAME}*")) == before + 1


def test_a_branch_that_moved_is_an_update_with_its_difference(whole: Repo, hub: Hub) -> None:
    commit = move(hub)
    assert look(whole).summary["update"] == 1
    repo = registering.get(whole.pk)
    assert repo.update_commit == commit
    assert repo.update["changed_paths"] == ["unet/model.safetensors"]
    assert repo.update["added_paths"] == ["elsewhere/third.safetensors", "unet/second.safetensors"]
    assert repo.update["removed_paths"] == ["README.md"]
    assert repo.update["bytes_to_fetch"] == NEW_WEIGHTS.size + SECOND.size + THIRD.size


def test_an_update_that_is_only_found_touches_neither_files_nor_snapshot(
    whole: Repo, hub: Hub, models_root: Path
) -> None:
    before = {p: p.stat().st_ino for p in models_root.rglob("*") if p.is_file()}
    move(hub)
    look(whole)
    repo = registering.get(whole.pk)
    assert repo.snapshot_id == whole.snapshot_id
    assert repo.is_downloaded
    after = {p: p.stat().st_ino for p in models_root.rglob("*") if p.is_file()}
    assert {path: after.get(path) for path in before if "/." not in str(path)} == {
        path: inode for path, inode in before.items() if "/." not in str(path)
    }


def test_a_difference_that_is_known_is_not_listed_again(whole: Repo, hub: Hub) -> None:
    move(hub)
    look(whole)
    before = len(hub.requests.of(f"*{NAME}*"))
    assert look(whole).summary["update"] == 1
    assert len(hub.requests.of(f"*{NAME}*")) == before + 1


def test_bytes_that_are_here_already_are_not_counted_as_to_be_fetched(
    whole: Repo, hub: Hub
) -> None:
    repository(hub).commit({"unet/copy.safetensors": FILES["vae/model.safetensors"]})
    look(whole)
    update = registering.get(whole.pk).update
    assert (update["added"], update["bytes_to_fetch"]) == (1, 0)


def test_a_branch_that_moves_back_is_no_update_any_more(whole: Repo, hub: Hub) -> None:
    Repo.objects.filter(pk=whole.pk).update(update_commit="a" * 40, update={"added": 1})
    look(whole)
    repo = registering.get(whole.pk)
    assert (repo.update_commit, repo.update) == ("", {})


def test_a_repository_with_auto_sync_is_synced_instead(whole: Repo, hub: Hub) -> None:
    Repo.objects.filter(pk=whole.pk).update(auto_sync=True)
    commit = move(hub)
    assert look(whole).summary["syncing"] == 1
    assert registering.get(whole.pk).update_commit == ""
    assert run_next().type == "sync"
    assert registering.get(whole.pk).commit == commit


def test_a_sync_that_waits_already_is_not_asked_for_twice(whole: Repo, hub: Hub) -> None:
    Repo.objects.filter(pk=whole.pk).update(auto_sync=True)
    move(hub)
    submission.submit("watch", {}, None)
    submission.submit("watch", {}, None)
    run_next()
    run_next()
    assert Job.objects.filter(type="sync", status="queued").count() == 1


def test_a_source_that_vanished_is_alarmed_about_once_and_the_files_stay(
    whole: Repo, hub: Hub, models_root: Path
) -> None:
    hub.huggingface.remove(NAME)
    with capture_logs() as said:
        job = look(whole)
        look(whole)
    assert job.summary["gone"] == 1
    assert [line["event"] for line in said].count("hub_source_gone") == 1
    assert Event.objects.filter(job=job, code="hub.source_gone", level="warning").count() == 1
    repo = registering.get(whole.pk)
    assert repo.gone_at is not None
    assert repo.is_downloaded
    shown = models_root / "forge/sketch/main/unet/model.safetensors"
    assert shown.stat().st_size == WEIGHTS.size


def test_a_model_stays_enabled_when_its_source_vanishes(checkpoint: str, hub: Hub) -> None:
    assert downloaded(checkpoint).status == "succeeded"
    repo, _ = registering.register("forge/xl")
    submission.submit("sync", {"repo_id": str(repo.pk)}, None)
    assert run_next().status == "succeeded"
    hub.huggingface.remove("forge/xl")
    look(repo)
    assert registering.get(repo.pk).gone_at is not None
    assert Model.objects.get().enabled


def test_a_source_that_is_back_is_no_alarm_any_more(whole: Repo) -> None:
    Repo.objects.filter(pk=whole.pk).update(gone_at=timezone.now())
    look(whole)
    assert registering.get(whole.pk).gone_at is None


def test_a_hub_that_does_not_answer_changes_nothing(
    whole: Repo,
) -> None:
    seen = watching.Seen(error=Unreachable("Nobody answers."))
    finding = watching.settle(whole, seen)
    assert finding.outcome is Outcome.UNREACHABLE
    repo = registering.get(whole.pk)
    assert (repo.status, repo.gone_at, repo.checked_at) == ("synced", None, whole.checked_at)


def test_after_five_without_an_answer_the_others_are_left_for_the_next_time(
    db: None, models_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = Unreachable("Nobody answers.")
    monkeypatch.setattr(watching, "ask", lambda *_: watching.Seen(error=error))
    for number in range(8):
        registering.register(f"forge/number{number}")
    assert look().summary["unreachable"] == 5


def test_only_what_can_move_is_looked_at_and_the_longest_unseen_first(repo: Repo) -> None:
    registering.register(NAME, "a" * 40)
    branch, _ = registering.register(NAME, "branch")
    Repo.objects.filter(pk=repo.pk).update(checked_at=timezone.now())
    assert watching.chosen(None) == [branch.pk, repo.pk]


def test_the_schedule_starts_no_second_look(repo: Repo) -> None:
    assert watching.start() is not None
    assert watching.start() is None


def test_a_sync_in_the_meantime_is_not_overwritten(whole: Repo, hub: Hub) -> None:
    stale = registering.get(whole.pk)
    commit = move(hub)
    submission.submit("sync", {"repo_id": str(whole.pk)}, None)
    run_next()
    assert stale.snapshot
    resolved = snapshots.resolved(stale, stale.snapshot)
    watching.settle(stale, watching.Seen("b" * 40, replace(resolved, commit="b" * 40)))
    repo = registering.get(whole.pk)
    assert (repo.commit, repo.update_commit) == (commit, "")


# Updating


def test_an_approved_update_fetches_only_the_bytes_that_changed(
    whole: Repo, hub: Hub, models_root: Path
) -> None:
    old = whole.commit
    commit = move(hub)
    look(whole)
    sent = hub.bytes_sent("*.safetensors", origin="cdn")
    updating.approve(registering.get(whole.pk), None)
    job = run_next()
    assert job.status == "succeeded", job.error_message
    assert hub.bytes_sent("*.safetensors", origin="cdn") - sent == NEW_WEIGHTS.size + SECOND.size
    repo = registering.get(whole.pk)
    assert (repo.commit, repo.update_commit, repo.update) == (commit, "", {})
    shown = models_root / "forge/sketch/main"
    assert (shown / "unet/model.safetensors").stat().st_size == NEW_WEIGHTS.size
    assert (shown / "vae/model.safetensors").is_file()
    assert not (shown / "elsewhere").exists()  # of another folder than anything downloaded
    assert not (shown / "README.md").exists()
    kept = models_root / "forge/sketch" / old
    assert (kept / "unet/model.safetensors").stat().st_size == WEIGHTS.size


def test_files_that_were_not_downloaded_before_are_not_downloaded_now(
    synced: Repo, hub: Hub
) -> None:
    mirror(synced, "vae/model.safetensors")
    move(hub)
    look(synced)
    sent = hub.bytes_sent("*.safetensors", origin="cdn")
    updating.approve(registering.get(synced.pk), None)
    assert run_next().status == "succeeded"
    assert hub.bytes_sent("*.safetensors", origin="cdn") == sent


def test_an_update_that_failed_half_way_ends_the_same_when_it_is_tried_again(
    whole: Repo, hub: Hub, models_root: Path
) -> None:
    move(hub)
    look(whole)
    updating.approve(registering.get(whole.pk), None)
    first = Job.objects.get(type="update")
    submission.submit("sync", {"repo_id": str(whole.pk)}, None)  # as far as a first try had come
    Job.objects.filter(pk=first.pk).update(status="queued")
    assert [run_next().status, run_next().status] == ["succeeded", "succeeded"]
    shown = models_root / "forge/sketch/main/unet"
    assert sorted(path.name for path in shown.iterdir()) == [
        "config.json",
        "model.safetensors",
        "second.safetensors",
    ]


def test_an_update_that_nobody_knows_of_cannot_be_approved(whole: Repo) -> None:
    with pytest.raises(InvalidState, match="check it first"):
        updating.approve(whole, None)


def test_a_commit_never_moves(whole: Repo) -> None:
    pinned, _ = registering.register(NAME, whole.commit)
    with pytest.raises(InvalidState, match="never moves"):
        updating.approve(pinned, None)


# The doors


@pytest.fixture
def client(operator: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(operator)
    return client


def test_check_and_update_by_way_of_the_api(whole: Repo, hub: Hub, client: APIClient) -> None:
    move(hub)
    checked = client.post(f"/v1/hub/models/{whole.pk}/check", HTTP_IDEMPOTENCY_KEY="one")
    again = client.post(f"/v1/hub/models/{whole.pk}/check", HTTP_IDEMPOTENCY_KEY="one")
    assert checked.status_code == again.status_code == 202
    assert checked.json() == again.json()
    assert checked["Location"] == f"/v1/downloads/{checked.json()['job_id']}"
    assert run_next().type == "watch"
    updated = client.post(f"/v1/hub/models/{whole.pk}/update")
    assert updated.status_code == 202
    assert run_next().status == "succeeded"


def test_an_update_that_is_not_known_is_a_conflict(whole: Repo, client: APIClient) -> None:
    answer = client.post(f"/v1/hub/models/{whole.pk}/update")
    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_state")


def test_a_stranger_is_refused_and_starts_nothing(whole: Repo) -> None:
    client = APIClient()
    client.force_authenticate(User.objects.create_user("reader"))
    answers = [client.post(f"/v1/hub/models/{whole.pk}/{verb}") for verb in ("check", "update")]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert not Job.objects.filter(status="queued").exists()


def test_the_command_tells_what_an_update_would_fetch(
    whole: Repo, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    move(hub)
    call_command("hub_check", NAME)
    table = capsys.readouterr().out
    assert "update" in table
    assert str(whole) in table


def test_the_command_fails_when_a_source_has_gone(whole: Repo, hub: Hub) -> None:
    hub.huggingface.remove(NAME)
    with pytest.raises(CommandError) as error:
        call_command("hub_check", "--all")
    assert error.value.returncode == 1


def test_the_update_command_looks_first_and_starts_a_job(
    whole: Repo, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("hub_update", NAME)
    assert capsys.readouterr().out == ""
    move(hub)
    call_command("hub_update", NAME)
    assert capsys.readouterr().out.strip() == str(Job.objects.get(type="update").pk)


def test_operators_see_how_many_have_news_and_how_many_are_gone(whole: Repo) -> None:
    from downloader import metrics

    Repo.objects.filter(pk=whole.pk).update(update_commit="a" * 40, gone_at=timezone.now())
    registering.register("forge/other")
    samples = {
        (sample.name, sample.labels.get("status", "")): sample.value
        for family in metrics.collect()
        for sample in family.samples
    }
    assert samples["dreamforge_hub_repositories", "synced"] == 1
    assert samples["dreamforge_hub_repositories", "registered"] == 1
    assert samples["dreamforge_hub_updates", ""] == 1
    assert samples["dreamforge_hub_gone", ""] == 1
