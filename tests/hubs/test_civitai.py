"""CivitAI as its clients meet it: descriptions, redirects to storage, and everything it refuses."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from tests.hubs import File, Generated, Hub, Version, blake3, faults
from tests.hubs.asking import Answered, ask

pytestmark = pytest.mark.pure

BROWSER = "Mozilla/5.0 (X11; Linux x86_64)"
WEIGHTS = b"weights" * 1000
MAIN = File("model.safetensors", WEIGHTS, id=101)
PRUNED = File("model.safetensors", b"pruned" * 100, size="pruned", id=102)
VAE = File("model.vae.pt", b"vae" * 100, type="VAE", format="PickleTensor", id=103)
FILES = (MAIN, PRUNED, VAE)


@pytest.fixture(autouse=True)
def _two_versions(hub: Hub) -> None:
    versions = [Version(12, "v2.0", FILES, words=("ink",)), Version(11, "v1.0", (MAIN,))]
    hub.civitai.add(1, versions, name="Über Ink XL!", type="LORA", creator="painter")


def api(hub: Hub, path: str) -> Answered:
    return ask(f"{hub.civitai_endpoint}/api/v1/{path}")


def download(hub: Hub, version: str, method: str = "GET", **headers: str) -> Answered:
    return ask(f"{hub.civitai_endpoint}/api/download/models/{version}", method, **headers)


def only(hub: Hub, version: Version) -> None:
    hub.civitai.add(1, [version])


# Descriptions


def test_a_model_lists_its_versions_newest_first(hub: Hub) -> None:
    model = api(hub, "models/1").json
    assert (model["name"], model["type"], model["creator"]["username"]) == (
        "Über Ink XL!",
        "LORA",
        "painter",
    )
    assert [(version["id"], version["index"]) for version in model["modelVersions"]] == [
        (12, 0),
        (11, 1),
    ]
    assert model["modelVersions"][0]["trainedWords"] == ["ink"]


def test_a_version_knows_its_model(hub: Hub) -> None:
    version = api(hub, "model-versions/12").json
    assert (version["modelId"], version["model"]["name"]) == (1, "Über Ink XL!")
    assert [file["id"] for file in version["files"]] == [101, 102, 103]
    assert [file.get("primary") for file in version["files"]] == [True, None, None]


def test_a_file_is_described_in_upper_case_and_kibibytes(hub: Hub) -> None:
    file = api(hub, "model-versions/12").json["files"][0]
    sha256 = hashlib.sha256(WEIGHTS).hexdigest().upper()
    assert file["sizeKB"] == len(WEIGHTS) / 1024
    assert file["hashes"]["SHA256"] == sha256
    assert file["hashes"]["AutoV2"] == sha256[:10]
    assert file["hashes"]["BLAKE3"] == blake3.hexdigest(WEIGHTS).upper()
    assert len(file["hashes"]["CRC32"]) == 8
    assert file["metadata"] == {"format": "SafeTensor", "size": "full", "fp": "fp16"}


def test_a_large_file_has_no_blake3_here(hub: Hub) -> None:
    only(hub, Version(12, files=(File("big.safetensors", Generated(1_000_000)),)))
    hashes = api(hub, "model-versions/12").json["files"][0]["hashes"]
    assert sorted(hashes) == ["AutoV2", "CRC32", "SHA256"]


@pytest.mark.parametrize("published", [{}, {"SHA256": "0" * 64}])
def test_hashes_may_be_missing_or_wrong(hub: Hub, published: dict[str, str]) -> None:
    only(hub, Version(12, files=(replace(MAIN, hashes=published),)))
    file = api(hub, "model-versions/12").json["files"][0]
    assert file["hashes"] == published
    assert (file["scannedAt"] is None) == (published == {})


@pytest.mark.parametrize("kind", ["SHA256", "AutoV2", "BLAKE3", "CRC32"])
def test_a_version_is_found_by_any_hash_in_any_case(hub: Hub, kind: str) -> None:
    digest = api(hub, "model-versions/12").json["files"][2]["hashes"][kind]
    assert api(hub, f"model-versions/by-hash/{digest.lower()}").json["id"] == 12
    assert api(hub, "model-versions/by-hash/0123456789").status == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("models/2", 404),
        ("models/2147483648", 400),
        ("models/one", 400),
        ("model-versions/99", 404),
        ("model-versions/99999999999", 400),
        ("models?query=ink&page=2", 400),
        ("nothing", 404),
    ],
)
def test_what_it_cannot_find_or_read_is_an_error_in_json(hub: Hub, path: str, status: int) -> None:
    answered = api(hub, path)
    assert answered.status == status
    assert answered.json["error"]


def test_a_search_goes_on_by_cursor(hub: Hub) -> None:
    for number in range(2, 7):
        hub.civitai.add(number, [Version(number * 10)], name=f"Ink {number}")
    hub.civitai.add(7, [Version(70)], name="Other")
    first = api(hub, "models?query=INK&limit=4").json
    assert [model["id"] for model in first["items"]] == [1, 2, 3, 4]
    second = ask(first["metadata"]["nextPage"]).json
    assert [model["id"] for model in second["items"]] == [5, 6]
    assert "nextCursor" not in second["metadata"]
    assert [model["id"] for model in api(hub, "models?limit=4&page=2").json["items"]] == [5, 6, 7]
    assert [model["id"] for model in api(hub, "models?types=LORA").json["items"]] == [1]


def test_pages_are_for_people(hub: Hub) -> None:
    page = ask(f"{hub.civitai_endpoint}/models/1/{hub.civitai[1].slug}?modelVersionId=12")
    assert (hub.civitai[1].slug, page.headers["content-type"]) == (
        "ber-ink-xl",
        "text/html; charset=utf-8",
    )


# Downloads


def test_a_download_leads_to_signed_storage_on_another_origin(hub: Hub) -> None:
    answered = download(hub, "12")
    assert answered.status == 307
    assert answered.location.startswith(hub.cdn_origin + "/")
    stored = ask(answered.location, range="bytes=1-3")
    assert (stored.status, stored.body) == (206, WEIGHTS[1:4])
    assert stored.headers["etag"].endswith('-1"')
    assert hub.bytes_sent("1/12/model.safetensors", origin="cdn") == 3


def test_only_get_may_ask(hub: Hub) -> None:
    assert download(hub, "12", "HEAD").status == 405
    assert ask(download(hub, "12").location, "HEAD").status == 403


@pytest.mark.parametrize(
    ("asked", "file"),
    [
        ("12", MAIN),
        ("12?fileId=102", PRUNED),
        ("12?fileId=103", VAE),
        ("12?type=VAE", VAE),
        ("12?type=Model&format=SafeTensor&size=pruned", PRUNED),
    ],
)
def test_a_file_is_chosen_by_its_id_or_its_properties(hub: Hub, asked: str, file: File) -> None:
    assert ask(download(hub, asked).location).body == file.content.read()


def test_the_published_addresses_bring_the_files_they_stand_for(hub: Hub) -> None:
    files = api(hub, "model-versions/12").json["files"]
    brought = [ask(ask(file["downloadUrl"]).location).body for file in files]
    assert brought == [file.content.read() for file in FILES]


def test_the_name_comes_in_both_forms_and_may_be_another_one(hub: Hub) -> None:
    file = replace(MAIN, disposition='../ü "x".safetensors')
    only(hub, Version(12, files=(file,)))
    assert ask(download(hub, "12").location).headers["content-disposition"] == (
        "attachment; filename*=UTF-8''..%2F%C3%BC%20%22x%22.safetensors; "
        'filename="../_ _x_.safetensors";'
    )


def test_a_login_is_asked_for_as_it_suits_the_client(hub: Hub) -> None:
    only(hub, Version(12, files=FILES, login=True))
    script = download(hub, "12")
    assert (script.status, script.json["error"]) == (401, "Unauthorized")
    assert "logged in" in script.json["message"]
    browser = download(hub, "12", user_agent=BROWSER)
    assert (browser.status, urlsplit(browser.location).path) == (307, "/login")
    page = ask(hub.civitai_endpoint + browser.location)
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_a_member_is_let_in_by_header_or_query(hub: Hub) -> None:
    only(hub, Version(12, files=FILES, login=True))
    token = hub.civitai.token
    assert download(hub, "12", authorization=f"Bearer {token}").status == 307
    assert download(hub, f"12?token={token}").status == 307
    assert download(hub, "12", authorization="Bearer wrong").status == 401
    assert hub.leaks == []


@pytest.mark.parametrize(
    ("version", "status", "word"),
    [
        (Version(12, files=FILES, early_access_until="2030-01-01"), 403, "2030-01-01"),
        (Version(12, files=FILES, archived=True), 410, "archived"),
        (Version(12, files=FILES, disabled=True), 401, "disabled"),
        (Version(12, files=(replace(MAIN, listed_only=True),)), 404, "File not found"),
        (Version(13), 404, "Model not found"),
    ],
)
def test_what_is_not_handed_out_says_why(
    hub: Hub, version: Version, status: int, word: str
) -> None:
    only(hub, version)
    answered = download(hub, "12")
    assert answered.status == status
    assert word in json.dumps(answered.json)


def test_archived_versions_list_no_files_and_models_that_are_gone_are_absent(hub: Hub) -> None:
    only(hub, Version(12, files=FILES, archived=True))
    assert api(hub, "model-versions/12").json["files"] == []
    hub.civitai.add(1, [Version(12, files=FILES)], mode="Archived")
    assert (api(hub, "models/1").json["mode"], download(hub, "12").status) == ("Archived", 410)
    hub.civitai.add(1, [Version(12, files=FILES)], mode="TakenDown")
    assert (api(hub, "models/1").status, download(hub, "12").status) == (404, 404)


def test_a_login_page_may_come_in_place_of_the_redirect(hub: Hub) -> None:
    hub.faults.add(faults.LoginPage(), origin="civitai", path="*/download/*")
    answered = download(hub, "12")
    assert (answered.status, answered.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_blake3_is_that_of_the_specification() -> None:
    counting = bytes(number % 251 for number in range(3072))
    assert blake3.hexdigest(b"").startswith("af1349b9f5f9a1a6a0404dea36dcc949")
    assert blake3.hexdigest(counting).startswith("b98cb0ff3623be03326b373de6b90952")
