"""What the hub does beyond what its own client looks at: headers, redirects, signatures, lies."""

from __future__ import annotations

import gzip
from urllib.parse import quote, unquote, urljoin

import pytest

from tests import hubs
from tests.hubs import Generated, Hub, faults
from tests.hubs.asking import Answered, ask
from tests.hubs.huggingface import Repository, addresses

pytestmark = pytest.mark.pure

REPO = "author/repo"
WEIGHTS = Generated(100_000, seed=9)
CONFIG = '{"words": "words words words words"}'
HOSTILE = [
    "../outside.txt",
    "/etc/absolute.txt",
    "C:\\drive.txt",
    "nul\0.txt",
    "line\nfeed.txt",
    "-rf",
    "x" * 300 + ".txt",
    "/".join("d" * 300) + "/deep.txt",
    "model.json",
    "Case.txt",
    "case.txt",
    "e\u0301.txt",
    "\u00e9.txt",
    "both",
    "both/file.txt",
]


@pytest.fixture
def repository(hub: Hub) -> Repository:
    return hub.huggingface.add(REPO, {"a.safetensors": WEIGHTS, "config.json": CONFIG})


def resolve(hub: Hub, path: str, method: str = "GET", **headers: str) -> Answered:
    return ask(f"{hub.endpoint}/{REPO}/resolve/main/{path}", method, **headers)


def test_a_large_file_is_sent_to_another_origin_with_its_facts(
    hub: Hub, repository: Repository
) -> None:
    for method in ("GET", "HEAD"):
        answered = resolve(hub, "a.safetensors", method)
        assert answered.status == 302
        assert answered.location.startswith(hub.cdn_origin + "/")
        assert answered.headers["x-repo-commit"] == repository.branches["main"]
        assert answered.headers["x-linked-size"] == str(WEIGHTS.size)
        assert answered.headers["x-linked-etag"] == f'"{WEIGHTS.sha256}"'
        assert len(answered.headers["x-xet-hash"]) == 64


def test_the_storage_host_knows_nothing_of_it_and_its_etag_is_no_digest(
    hub: Hub, repository: Repository
) -> None:
    stored = ask(resolve(hub, "a.safetensors").location, range="bytes=5-9")
    assert (stored.status, stored.body) == (206, WEIGHTS.read(5, 10))
    etag = stored.headers["etag"].strip('"')
    assert len(etag) == 64
    assert etag != WEIGHTS.sha256
    assert not [name for name in stored.headers if name.startswith("x-")]


def test_a_small_file_is_sent_to_a_relative_address_with_its_git_name(
    hub: Hub, repository: Repository
) -> None:
    first = resolve(hub, "config.json")
    assert (first.status, first.location[:32]) == (307, "/api/resolve-cache/models/author")
    assert first.headers["x-repo-commit"] == repository.branches["main"]
    content = repository.content("main", "config.json")
    assert content is not None
    second = ask(urljoin(hub.endpoint, first.location), range="bytes=1-5")
    assert (second.status, second.body.decode()) == (206, CONFIG[1:6])
    assert second.headers["etag"] == f'"{content.git_sha1}"'


def test_a_client_that_takes_gzip_gets_it_without_length_or_range(
    hub: Hub, repository: Repository
) -> None:
    address = urljoin(hub.endpoint, resolve(hub, "config.json").location)
    answered = ask(address, range="bytes=1-5", accept_encoding="gzip")
    assert (answered.status, gzip.decompress(answered.body).decode()) == (200, CONFIG)
    assert "content-length" not in answered.headers
    assert answered.headers["etag"].startswith('W/"')


def test_raw_is_what_git_holds_and_pages_are_for_people(hub: Hub, repository: Repository) -> None:
    pointer = ask(f"{hub.endpoint}/{REPO}/raw/main/a.safetensors")
    assert pointer.body.decode() == faults.pointer(WEIGHTS)
    assert ask(f"{hub.endpoint}/{REPO}/raw/main/config.json").body.decode() == CONFIG
    pages = [f"/{REPO}", f"/{REPO}/tree/main", f"/{REPO}/blob/main/a.safetensors"]
    kinds = [ask(hub.endpoint + page).headers["content-type"] for page in pages]
    assert kinds == ["text/html; charset=utf-8"] * 3


def test_errors_carry_their_code(hub: Hub, repository: Repository) -> None:
    hub.huggingface.add("author/gated", {"a.bin": b""}, gated="auto")
    reader = f"Bearer {hub.huggingface.token}"
    answers = [
        ask(f"{hub.endpoint}/api/models/no/body"),
        ask(f"{hub.endpoint}/api/models/no/body", authorization=reader),
        ask(f"{hub.endpoint}/api/models/{REPO}/revision/nope"),
        resolve(hub, "nope"),
        ask(f"{hub.endpoint}/author/gated/resolve/main/a.bin"),
    ]
    assert [(answer.status, answer.headers["x-error-code"]) for answer in answers] == [
        (401, "RepoNotFound"),
        (404, "RepoNotFound"),
        (404, "RevisionNotFound"),
        (404, "EntryNotFound"),
        (401, "GatedRepo"),
    ]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("refs%2Fpr%2F1/config.json", 307),
        ("refs/pr/1/config.json", 307),
        ("feature%2Fx/config.json", 307),
        ("feature/x/config.json", 404),
    ],
)
def test_slashes_in_revisions_are_encoded_but_for_pull_requests(
    hub: Hub, repository: Repository, path: str, status: int
) -> None:
    repository.branch("feature/x")
    repository.pull_request(1, {"new.txt": ""})
    assert ask(f"{hub.endpoint}/{REPO}/resolve/{path}").status == status


@pytest.mark.parametrize(
    ("path", "repo", "verb", "revision", "file"),
    [
        ("api/models/a/b", "a/b", "", "", ""),
        ("api/models/a/b/tree/main/x%2Fy", "a/b", "tree", "main", "x/y"),
        ("api/models/nope/tree/main", "nope", "tree", "main", ""),
        ("api/models/own/tree/refs", "own/tree", "refs", "", ""),
        ("nope/resolve/v%2F1/x/y", "nope", "resolve", "v/1", "x/y"),
        ("alone/resolve/main/x", "alone", "resolve", "main", "x"),
        ("a/b/resolve/refs/convert/p/x", "a/b", "resolve", "refs/convert/p", "x"),
        ("api/resolve-cache/models/a/b/c0/x", "a/b", "resolve-cache", "c0", "x"),
    ],
)
def test_a_path_is_read_from_both_ends(
    path: str, repo: str, verb: str, revision: str, file: str
) -> None:
    segments = tuple(unquote(segment) for segment in path.split("/"))
    address = addresses.parse(segments, {"a/b", "own/tree", "alone"}.__contains__)
    assert address is not None
    assert (address.repo, address.verb) == (repo, verb)
    assert (address.revision, address.path) == (revision, file)


def test_a_moved_branch_keeps_its_old_commit_and_loses_its_removed_files(
    hub: Hub, repository: Repository
) -> None:
    old = repository.branches["main"]
    hub.faults.add(
        faults.Afterwards(lambda: repository.commit({"a.safetensors": None, "new.txt": "new"})),
        path="/api/models/*",
        times=1,
    )
    seen = [ask(f"{hub.endpoint}/api/models/{REPO}").json for _ in range(2)]
    assert [info["sha"] for info in seen] == [old, repository.branches["main"]]
    files = [[file["rfilename"] for file in info["siblings"]] for info in seen]
    assert files == [["a.safetensors", "config.json"], ["config.json", "new.txt"]]
    assert resolve(hub, "a.safetensors").status == 404
    assert ask(f"{hub.endpoint}/{REPO}/resolve/{old}/a.safetensors").status == 302


def test_the_same_steps_give_the_same_commits(hub: Hub, repository: Repository) -> None:
    files = {"a.safetensors": WEIGHTS, "config.json": CONFIG}
    with hubs.running() as other:
        again = other.huggingface.add(REPO, files)
        changed = other.huggingface.add("author/repo", {**files, "config.json": "{}"})
    assert again.branches == repository.branches
    assert changed.branches != repository.branches


def test_a_tree_may_lie_about_size_and_digest(hub: Hub, repository: Repository) -> None:
    repository.announce("a.safetensors", size=7, sha256="0" * 64)
    repository.announce("config.json", git_sha1="1" * 40)
    large, small = ask(f"{hub.endpoint}/api/models/{REPO}/tree/main").json
    assert (large["size"], large["lfs"]["size"], large["lfs"]["oid"]) == (7, 7, "0" * 64)
    assert small["oid"] == "1" * 40
    answered = resolve(hub, "a.safetensors")
    assert answered.headers["x-linked-etag"] == f'"{"0" * 64}"'
    assert ask(answered.location).body == WEIGHTS.read()


@pytest.mark.parametrize("path", HOSTILE)
def test_hostile_names_are_listed_and_served_as_they_are(hub: Hub, path: str) -> None:
    hub.huggingface.add(REPO, dict.fromkeys(HOSTILE, b"data"))
    tree = ask(f"{hub.endpoint}/api/models/{REPO}/tree/main?recursive=true").json
    assert path in [entry["path"] for entry in tree if entry["type"] == "file"]
    assert resolve(hub, quote(path, safe="")).status == 307


def test_pages_may_go_in_circles(hub: Hub, repository: Repository) -> None:
    hub.huggingface.page_size = 1
    hub.faults.add(faults.EndlessPages())
    url = f"{hub.endpoint}/api/models/{REPO}/tree/main"
    assert ask(url).headers["link"] == f'<{url}>; rel="next"'


def test_a_quota_is_told_and_once_set_enforced() -> None:
    now = [1_000_200.0]
    with hubs.running(clock=lambda: now[0]) as hub:
        hub.huggingface.add(REPO, {"config.json": CONFIG})
        url = f"{hub.endpoint}/api/models/{REPO}"
        assert ask(url).headers["ratelimit"] == '"api";r=499;t=300'
        assert ask(url).headers["ratelimit-policy"] == '"fixed window";"api";q=500;w=300'
        hub.huggingface.quotas.limits["api"] = 3
        assert [ask(url).status for _ in range(2)] == [200, 429]
        assert resolve(hub, "config.json").status == 307
        reader = f"Bearer {hub.huggingface.token}"
        assert ask(url, authorization=reader).status == 200
        now[0] += 299
        assert ask(url).headers["ratelimit"] == '"api";r=0;t=1'
        now[0] += 1
        assert ask(url).status == 200


# The storage host


def test_a_signature_ends_with_its_time() -> None:
    now = [1_000_000.0]
    with hubs.running(clock=lambda: now[0]) as hub:
        hub.huggingface.add(REPO, {"a.safetensors": WEIGHTS})
        address = resolve(hub, "a.safetensors").location
        assert ask(address).status == 200
        now[0] += hub.cdn.lifetime_s + 1
        expired = ask(address)
        assert (expired.status, expired.headers["content-type"]) == (403, "application/xml")
        assert ask(resolve(hub, "a.safetensors").location).status == 200


def test_signatures_can_be_used_up_or_ended_all_at_once(hub: Hub, repository: Repository) -> None:
    hub.cdn.max_uses = 2
    address = resolve(hub, "a.safetensors").location
    assert [ask(address).status for _ in range(3)] == [200, 200, 403]
    hub.cdn.max_uses = None
    address = resolve(hub, "a.safetensors").location
    hub.cdn.expire_all()
    assert ask(address).status == 403
    assert ask(resolve(hub, "a.safetensors").location).status == 200


def test_a_changed_signature_is_refused(hub: Hub, repository: Repository) -> None:
    address = resolve(hub, "a.safetensors").location
    assert ask(address.replace("Expires=1", "Expires=9")).status == 403
    assert ask(address.partition("?")[0]).status == 403


def test_the_storage_may_move_to_another_host(hub: Hub, repository: Repository) -> None:
    old = resolve(hub, "a.safetensors").location
    before = hub.cdn_origin
    hub.rotate_cdn()
    assert hub.cdn_origin != before
    with pytest.raises(ConnectionRefusedError):
        ask(old)
    assert ask(resolve(hub, "a.safetensors").location).body == WEIGHTS.read()


def test_a_token_that_strays_is_refused_and_remembered(hub: Hub, repository: Repository) -> None:
    address = resolve(hub, "a.safetensors").location
    token = hub.huggingface.token
    assert ask(address, authorization="Bearer anything").status == 400
    assert ask(f"{address}&token={token}").status == 200
    ask(f"{hub.civitai_endpoint}/api/v1/models/1", cookie=token)
    assert [(leak.origin, leak.where) for leak in hub.leaks] == [
        ("cdn", "authorization"),
        ("cdn", "target"),
        ("civitai", "cookie"),
    ]


def test_the_log_follows_a_file_over_its_redirects(hub: Hub, repository: Repository) -> None:
    ask(resolve(hub, "a.safetensors", "HEAD").location)
    asked = hub.requests.of(f"{REPO}/a.safetensors")
    assert [(entry.origin, entry.status) for entry in asked] == [("huggingface", 302), ("cdn", 200)]
    assert hub.bytes_sent(f"{REPO}/*.safetensors") == WEIGHTS.size


def test_a_fault_of_the_bytes_leaves_the_redirect_alone(hub: Hub, repository: Repository) -> None:
    hub.faults.add(faults.LoginPage(), f"{REPO}/a.safetensors", times=1)
    answered = resolve(hub, "a.safetensors")
    assert answered.status == 302
    assert ask(answered.location).body.startswith(b"<!doctype html>")
