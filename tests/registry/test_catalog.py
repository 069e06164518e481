"""What writes models: recording, switching, the default, and what the logs then say."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import IntegrityError, connection, transaction
from structlog.testing import capture_logs

from dreamforge_site.accounts.models import User
from registry import auditing, catalog, selection
from registry.errors import (
    CannotEnable,
    InvalidDescriptor,
    InvalidModel,
    RegistryError,
    UnknownModel,
)
from registry.models import Model

from .conftest import a_file, a_model, described

pytestmark = pytest.mark.django_db

NOBODY = uuid.UUID(int=1)


def told() -> list[str]:
    """The admin's log, oldest first."""
    return list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True))


# Recording


def test_a_model_is_recorded_as_it_was_described() -> None:
    descriptor = described(files=(a_file("b"), a_file("a", "local")))
    model = catalog.record(descriptor)
    stored = Model.objects.get()
    assert stored == model
    assert (stored.pk, stored.name, stored.kind) == (descriptor.id, "epic", "sdxl-checkpoint")
    assert [file.path for file in stored.files] == ["a", "b"]
    assert (stored.trust, stored.size_bytes, stored.enabled) == ("local", 2, False)
    assert stored.parameters_schema == descriptor.parameters_schema
    assert stored.provenance == descriptor.provenance
    assert stored.search_text == f"epic 1 {descriptor.source_uri}"


@pytest.mark.parametrize(("enable", "enabled"), [(None, False), (False, False), (True, True)])
def test_a_new_model_is_enabled_when_that_is_asked_for(enable: bool | None, enabled: bool) -> None:
    assert a_model(enable=enable).enabled is enabled
    assert Model.objects.get().enabled is enabled


@pytest.mark.parametrize("enabled", [True, False])
def test_the_same_bytes_once_more_change_nothing(enabled: bool) -> None:
    first = a_model(enable=enabled)
    again = catalog.record(described(provenance={"page": "other"}), enable=not enabled)
    assert again.pk == first.pk
    stored = Model.objects.get()
    assert (stored.enabled, stored.updated_at) == (enabled, first.updated_at)
    assert stored.provenance == first.provenance


def test_other_bytes_replace_the_facts_and_keep_id_and_word() -> None:
    first = a_model(enable=True)
    second = catalog.record(described(files=(a_file("new"),)), enable=False)
    assert (second.pk, second.enabled) == (first.pk, True)
    assert [file.path for file in Model.objects.get().files] == ["new"]


def test_what_a_check_found_is_enabled_by_the_download_that_wanted_it() -> None:
    """The installer was killed between the folder and the row, and a check was faster."""
    found = a_model(enable=None)
    assert catalog.record(described(), enable=True).enabled
    assert Model.objects.get().pk == found.pk


def test_a_model_that_comes_back_takes_the_wish_of_its_download() -> None:
    model = a_model(enable=True)
    catalog.mark_missing(model.pk, "gone")
    assert catalog.record(described(), enable=True).enabled


def test_a_damaged_model_that_is_repaired_takes_the_wish_of_its_download() -> None:
    model = a_model(enable=True)
    catalog.judge(model.pk, {"model.safetensors": "mismatch"})
    assert catalog.record(described(), enable=True).enabled


@pytest.mark.parametrize("trust", ["unverified", "mismatch"])
def test_files_that_nobody_answers_for_disable_a_model(trust: str) -> None:
    model = a_model()
    bad = described(files=(a_file(), a_file("x", trust)))
    assert catalog.record(bad, enable=True).enabled is False
    stored = Model.objects.get(pk=model.pk)
    assert (stored.enabled, stored.trust) == (False, trust)


def test_a_model_without_files_is_not_enabled() -> None:
    assert a_model(files=()).enabled is False


def test_a_copied_folder_gets_an_id_of_its_own() -> None:
    first = catalog.record(described())
    copy = replace(described("copy"), id=first.pk)
    assert catalog.record(copy).pk != first.pk
    assert Model.objects.count() == 2


def test_what_cannot_be_kept_is_refused_and_nothing_is_written() -> None:
    with pytest.raises(InvalidDescriptor, match="name"):
        catalog.record(replace(described(), name="a\0b"))
    assert Model.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_inserts_and_both_have_the_same_model() -> None:
    descriptors = [described() for _ in range(8)]
    start = threading.Barrier(len(descriptors))
    found: list[uuid.UUID] = []

    def record(at: int) -> None:
        start.wait()
        try:
            found.append(catalog.record(descriptors[at], enable=True).pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=record, args=(at,)) for at in range(len(descriptors))]
    _run(threads)
    assert found == [Model.objects.get().pk] * len(descriptors)


# Switching


def test_disabling_and_enabling_are_told_with_before_and_after(operator: User) -> None:
    model = a_model()
    catalog.disable(model.pk, by=operator)
    catalog.enable(model.pk, by=operator)
    assert told() == [
        "disabled: enabled → disabled.",
        "enabled: disabled → enabled.",
    ]
    assert set(LogEntry.objects.values_list("user", "object_id")) == {(operator.pk, str(model.pk))}


def test_what_is_so_already_is_told_to_nobody(operator: User) -> None:
    model = a_model()
    before = Model.objects.get().updated_at
    catalog.enable(model.pk, by=operator)
    assert told() == []
    assert Model.objects.get().updated_at == before


@pytest.mark.parametrize(
    ("facts", "reasons"),
    [
        ({"installed": False}, ["it is not installed"]),
        ({"files": ()}, ["it has no files"]),
        (
            {"files": (a_file("a", "mismatch"), a_file("b"), a_file("c", "unverified"))},
            ["a is mismatch", "c is unverified"],
        ),
        (
            {"files": tuple(a_file(str(at), "unverified") for at in range(7))},
            [*(f"{at} is unverified" for at in range(5)), "and 2 more files likewise"],
        ),
    ],
)
def test_enabling_is_refused_with_every_reason(facts: dict[str, Any], reasons: list[str]) -> None:
    model = a_model(enable=None, **facts)
    with pytest.raises(CannotEnable) as raised:
        catalog.enable(model.pk)
    assert raised.value.details == {"reasons": reasons}
    assert "epic 1 cannot be enabled" in raised.value.message
    assert not Model.objects.get().enabled


@pytest.mark.parametrize("trust", ["verified", "local", "overridden"])
def test_a_model_whose_files_are_answered_for_is_enabled(trust: str) -> None:
    model = a_model(enable=None, files=(a_file(trust=trust),))
    assert catalog.enable(model.pk).enabled


ACTS: dict[str, Callable[[uuid.UUID], Any]] = {
    "enable": catalog.enable,
    "disable": catalog.disable,
    "missing": lambda pk: catalog.mark_missing(pk, "gone"),
    "found": catalog.mark_found,
    "forget": catalog.forget,
    "default": catalog.set_default,
    "judge": lambda pk: catalog.judge(pk, {}),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_an_unknown_model_is_said_to_be_unknown(act: Callable[[uuid.UUID], Any]) -> None:
    with pytest.raises(UnknownModel, match=str(NOBODY)):
        act(NOBODY)


def test_a_missing_model_is_disabled_and_stays_so_when_it_is_back() -> None:
    model = a_model()
    catalog.mark_missing(model.pk, "its folder is gone")
    assert (Model.objects.get().installed, Model.objects.get().enabled) == (False, False)
    catalog.mark_found(model.pk)
    assert (Model.objects.get().installed, Model.objects.get().enabled) == (True, False)


def test_a_verdict_changes_trust_and_disables(operator: User) -> None:
    model = a_model(files=(a_file("a"), a_file("b")))
    catalog.judge(model.pk, {"b": "mismatch"}, by=operator)
    stored = Model.objects.get()
    assert [file.trust for file in stored.files] == ["verified", "mismatch"]
    assert (stored.trust, stored.enabled) == ("mismatch", False)
    catalog.judge(model.pk, {"b": "overridden"}, by=operator)
    stored = Model.objects.get()
    assert (stored.trust, stored.enabled) == ("overridden", False)
    assert told() == [
        "judged: enabled → disabled; trust: verified → mismatch; b: verified → mismatch.",
        "judged: trust: mismatch → overridden; b: mismatch → overridden.",
    ]


def test_verdicts_on_very_many_files_are_one_bounded_line_of_the_services_log(
    django_capture_on_commit_callbacks: Any,
) -> None:
    names = [f"part-{number:05}.safetensors" for number in range(500)]
    model = a_model(files=tuple(a_file(name) for name in names))
    with capture_logs() as lines, django_capture_on_commit_callbacks(execute=True):
        catalog.judge(model.pk, dict.fromkeys(names, "mismatch"))
    [line] = [line for line in lines if line["event"] == "model_judged"]
    assert line["files"].startswith("part-00000.safetensors: verified → mismatch; ")
    assert len(line["files"]) == auditing.LONGEST


@pytest.mark.parametrize(("path", "trust"), [("c", "local"), ("a", "perfect")])
def test_a_verdict_on_nothing_is_refused(path: str, trust: str) -> None:
    model = a_model(files=(a_file("a"),))
    with pytest.raises(InvalidDescriptor, match=f"{path}|{trust}"):
        catalog.judge(model.pk, {path: trust})


def test_a_forgotten_model_is_in_the_log_only(operator: User) -> None:
    model = a_model()
    catalog.forget(model.pk, by=operator)
    assert Model.objects.count() == 0
    entry = LogEntry.objects.get()
    assert entry.change_message.startswith("forgotten: enabled; trust: verified;")
    assert (entry.is_deletion(), entry.object_repr) == (True, "epic 1")


def test_use_is_noted_and_is_no_change() -> None:
    model = a_model()
    catalog.used(model.pk)
    stored = Model.objects.get()
    assert stored.last_used_at is not None
    assert stored.updated_at == model.updated_at


@pytest.mark.django_db(transaction=True)
def test_the_service_log_has_each_change_once_it_holds() -> None:
    model = a_model()
    with capture_logs() as lines:
        catalog.disable(model.pk)
        with transaction.atomic():
            catalog.enable(model.pk)
            transaction.set_rollback(True)
    assert [line["event"] for line in lines] == ["model_disabled"]
    assert lines[0]["after"] == {"enabled": False}


# The default


def test_one_model_is_the_default(operator: User) -> None:
    one, two = a_model("one"), a_model("two")
    catalog.set_default(one.pk, by=operator)
    catalog.set_default(two.pk, by=operator)
    assert list(Model.objects.filter(is_default=True)) == [two]
    assert told() == [
        "default: enabled → enabled, the default.",
        "no longer default: enabled, the default → enabled.",
        "default: enabled → enabled, the default.",
    ]
    catalog.set_default(None, by=operator)
    assert not Model.objects.filter(is_default=True).exists()


@pytest.mark.parametrize(
    ("facts", "reason"),
    [({"kind": "lora"}, "wrong_kind"), ({"enable": False}, "disabled")],
)
def test_what_could_not_draw_is_not_made_the_default(facts: dict[str, Any], reason: str) -> None:
    first = a_model("first")
    catalog.set_default(first.pk)
    model = a_model("second", **facts)
    with pytest.raises(InvalidModel) as raised:
        catalog.set_default(model.pk)
    assert raised.value.reason == reason
    assert selection.default() == first


@pytest.mark.django_db(transaction=True)
def test_of_many_who_set_the_default_at_once_one_has_the_last_word() -> None:
    models = [a_model(str(at)) for at in range(4)]
    start = threading.Barrier(len(models))
    errors: list[RegistryError] = []

    def choose(model: Model) -> None:
        start.wait()
        try:
            catalog.set_default(model.pk)
        except RegistryError as error:
            errors.append(error)
        finally:
            connection.close()

    _run([threading.Thread(target=choose, args=(model,)) for model in models])
    assert errors == []
    assert Model.objects.filter(is_default=True).count() == 1


def _run(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# What the database itself refuses

REFUSED: dict[str, dict[str, Any]] = {
    "enabled but not installed": {"installed": False, "enabled": True},
    "enabled and nobody answers for it": {"trust": "mismatch", "enabled": True},
    "installed nowhere": {"local_path": ""},
    "of no kind": {"kind": "flux"},
    "a default that cannot draw": {"kind": "lora", "is_default": True},
    "without a name": {"name": ""},
    "of less than no size": {"size_bytes": -1},
}


@pytest.mark.parametrize("facts", REFUSED.values(), ids=REFUSED)
def test_the_database_refuses_a_model(facts: dict[str, Any]) -> None:
    model = a_model()
    with pytest.raises(IntegrityError), transaction.atomic():
        Model.objects.filter(pk=model.pk).update(**facts)


def test_the_database_refuses_a_second_model_of_one_name_and_a_second_default() -> None:
    one, two = a_model("one"), a_model("two")
    catalog.set_default(one.pk)
    with pytest.raises(IntegrityError), transaction.atomic():
        Model.objects.filter(pk=two.pk).update(is_default=True)
    with pytest.raises(IntegrityError), transaction.atomic():
        Model.objects.filter(pk=two.pk).update(name="one")
