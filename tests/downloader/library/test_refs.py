"""References: the grammar, pasted addresses, and what an error may show."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downloader.library.errors import InvalidRef
from downloader.library.refs import SCHEMES, Ref, parse

pytestmark = pytest.mark.pure

COMMIT = "0123456789abcdef0123456789abcdef01234567"

WRITTEN = {
    "hf:author/name": Ref("hf", "author/name"),
    "HF:author/name": Ref("hf", "author/name"),
    "  hf:author/name\n": Ref("hf", "author/name"),
    "hf:gpt2": Ref("hf", "gpt2"),
    "hf:a/b@main": Ref("hf", "a/b", "main"),
    f"hf:a/b@{COMMIT}": Ref("hf", "a/b", COMMIT),
    "hf:a/b@refs/pr/3": Ref("hf", "a/b", "refs/pr/3"),
    "hf:a/b@refs%2Fpr%2F3": Ref("hf", "a/b", "refs/pr/3"),
    "hf:a/b@feature/x@2": Ref("hf", "a/b", "feature/x@2"),
    "hf:a/b@fix%23x": Ref("hf", "a/b", "fix#x"),
    "hf:a/b@100%": Ref("hf", "a/b", "100%"),
    "hf:a/b#x.safetensors": Ref("hf", "a/b", None, ("x.safetensors",)),
    "hf:a/b@v1#unet/*.json, x y.txt": Ref("hf", "a/b", "v1", ("unet/*.json", "x y.txt")),
    "hf:a/b#one%2Ctwo%23%40.txt": Ref("hf", "a/b", None, ("one,two#@.txt",)),
    "hf:a/b#%20x%20, y": Ref("hf", "a/b", None, (" x ", "y")),
    "hf:a/b#x,x,y": Ref("hf", "a/b", None, ("x", "y")),
    "hf:a/b#ü/模型.safetensors": Ref("hf", "a/b", None, ("ü/模型.safetensors",)),
    "civitai:12": Ref("civitai", "12"),
    "civitai:12@34": Ref("civitai", "12", "34"),
    "civitai:@34": Ref("civitai", "", "34"),
    "civitai:12@34#56": Ref("civitai", "12", "34", ("56",)),
    "civitai:realistic-vision-v60-b1": Ref("civitai", "realistic-vision-v60-b1"),
    "file:/models/x.safetensors": Ref("file", "/models/x.safetensors"),
    "file:///models//x/./": Ref("file", "/models/x"),
    "file://localhost/models/x": Ref("file", "/models/x"),
    "file:/a@b/c%23d#*.json": Ref("file", "/a@b/c#d", None, ("*.json",)),
    "https://Example.org/x%20y/z.safetensors": Ref(
        "https", "https://example.org/x%20y/z.safetensors"
    ),
    "https://example.org:8443/ä b": Ref("https", "https://example.org:8443/%C3%A4%20b"),
}

PASTED = {
    "https://huggingface.co/a/b": "hf:a/b",
    "http://www.huggingface.co/a/b/": "hf:a/b",
    "https://HuggingFace.co./a/b": "hf:a/b",
    "https://huggingface.co:443/a/b": "hf:a/b",
    "https://hf.co/a/b": "hf:a/b",
    "huggingface.co/a/b": "hf:a/b",
    "hf.co/gpt2": "hf:gpt2",
    "hf:https://huggingface.co/a/b#x.json": "hf:a/b#x.json",
    "hf:huggingface.co/a/b": "hf:a/b",
    "https://huggingface.co/a/b?library=diffusers#usage": "hf:a/b",
    "https://huggingface.co/a/b/tree": "hf:a/b",
    "https://huggingface.co/a/b/tree/main": "hf:a/b@main",
    "https://huggingface.co/a/b/tree/main/": "hf:a/b@main",
    "https://huggingface.co/a/b/tree/main/unet": "hf:a/b@main#unet/",
    "https://huggingface.co/a/b/tree/refs%2Fpr%2F3": "hf:a/b@refs/pr/3",
    "https://huggingface.co/a/b/tree/refs/pr/3": "hf:a/b@refs/pr/3",
    "https://huggingface.co/a/b/tree/refs/convert/parquet/x": "hf:a/b@refs/convert/parquet#x/",
    "https://huggingface.co/a/b/blob/refs/pr/3/x.json": "hf:a/b@refs/pr/3#x.json",
    "https://huggingface.co/a/b/blob/feature%2Fx/y/z.json": "hf:a/b@feature/x#y/z.json",
    "https://huggingface.co/a/b/resolve/main/x.safetensors?download=true": (
        "hf:a/b@main#x.safetensors"
    ),
    "https://huggingface.co/a/b/raw/main/x%2Cy%23.txt": "hf:a/b@main#x%2Cy%23.txt",
    "https://huggingface.co/a/b/blame/main/x.txt": "hf:a/b@main#x.txt",
    f"https://huggingface.co/a/b/commit/{COMMIT}": f"hf:a/b@{COMMIT}",
    "https://huggingface.co/a/b/commits/main": "hf:a/b@main",
    "https://huggingface.co/a/b/discussions/7": "hf:a/b",
    "https://huggingface.co/gpt2/resolve/main/config.json": "hf:gpt2@main#config.json",
    "https://huggingface.co/api/models/a/b/tree/main": "hf:a/b@main",
    "https://huggingface.co/api/models/a/b/revision/refs%2Fpr%2F3": "hf:a/b@refs/pr/3",
    "https://civitai.com/models/12": "civitai:12",
    "https://www.civitai.com/models/12/": "civitai:12",
    "civitai.com/models/12/a-slug": "civitai:12",
    "https://civitai.green/models/12/a-slug?modelVersionId=34": "civitai:12@34",
    "https://civitai.red/models/12?modelVersionId=34&x=y#comments": "civitai:12@34",
    "https://civitai.com/model-versions/34": "civitai:@34",
    "https://civitai.com/api/v1/model-versions/34": "civitai:@34",
    "https://civitai.com/api/v1/models/12": "civitai:12",
    "https://civitai.com/api/download/models/34": "civitai:@34",
    "https://civitai.com/api/download/models/34?fileId=56": "civitai:@34#56",
    "https://civitai.com/api/download/models/34?type=Model&format=SafeTensor&fp=fp16": (
        "civitai:@34#type=Model+format=SafeTensor+fp=fp16"
    ),
    "civitai:https://civitai.com/models/12/a-slug": "civitai:12",
    "civitai:https://civitai.com/models/12/a-slug@34#56,*.yaml": "civitai:12@34#56,*.yaml",
    "civitai:https://civitai.com/models/12?modelVersionId=34@34": "civitai:12@34",
}

REFUSED = {
    "": "empty",
    "   ": "empty",
    "a/b": "Did you mean hf:a/b ?",
    "a/b@main#x.json": "Did you mean hf:a/b@main#x.json ?",
    "12345": "Did you mean civitai:12345 ?",
    "/models/x": "Did you mean file:/models/x ?",
    "huggingface:a/b": "Did you mean hf:a/b ?",
    "civitia:12": "Did you mean civitai:12 ?",
    "hf://a/b": "Did you mean hf:a/b ?",
    "hf://a/b/c/d.bin": "Did you mean hf:a/b#c/d.bin ?",
    "hf:a/b/c/d.bin": "Did you mean hf:a/b#c/d.bin ?",
    "ftp://example.org/x": "not a source that is allowed",
    "http://example.org/x": "'http' is not a source",
    "hf:": "not the name of a repository",
    "hf:a/": "not the name of a repository",
    "hf:/b": "not the name of a repository",
    "hf:a b/c": "not the name of a repository",
    "hf:a/..": "not the name of a repository",
    "hf:../b": "not the name of a repository",
    "hf:a/b--c": "not the name of a repository",
    "hf:a/b.git": "not the name of a repository",
    "hf:_/gpt2": "Did you mean hf:gpt2 ?",
    "https://huggingface.co/_/gpt2/tree/main": "No author is called _",
    "hf:a\\b": "not the name of a repository",
    "hf:%2e%2e/b": "not the name of a repository",
    f"hf:a/{'b' * 97}": "not the name of a repository",
    "hf:a/b@": "Nothing follows the @",
    "hf:a/b@-rf": "not a branch",
    "hf:a/b@../x": "not a branch",
    "hf:a/b@x y": "not a branch",
    "hf:a/b@x/": "not a branch",
    "hf:a/b@/x": "not a branch",
    f"hf:a/b@{'x' * 256}": "not a branch",
    "hf:a/b#": "is empty",
    "hf:a/b#x,,y": "is empty",
    "hf:a/b#x#y": "one #",
    "hf:a/b#" + ",".join(map(str, range(201))): "At most 200",
    "hf:a/b%00": "control characters",
    "hf:a/b#x\0y": "control characters",
    "hf:a/b#x\ny": "control characters",
    "hf:a/b#x%0ay": "control characters",
    "hf:a/b#\udc80": "control characters",
    "hf:a/b#%ff": "not UTF-8",
    "hf:https://example.org/a/b": "not one of that hub's",
    "hf:https://civitai.com/models/12": "belongs to civitai:",
    "civitai:": "needs a model or a version",
    "civitai:0": "number from 1",
    "civitai:2147483648": "number from 1",
    "civitai:12@x": "version id is a number",
    "civitai:a/b": "not a model id",
    "civitai:../12": "not a model id",
    "civitai:https://civitai.com/models/12?modelVersionId=34@35": "another one",
    "https://civitai.com/images/12": "not a model's page",
    "https://civitai.com/models": "not a model's page",
    "https://civitai.com/models/12?modelVersionId=x": "version id is a number",
    "https://civitai.com/models/12?" + "&".join("a=1" for _ in range(60)): "cannot be read",
    "https://huggingface.co": "front page",
    "https://huggingface.co/datasets/a/b": "a dataset",
    "https://huggingface.co/datasets/a/b/tree/main": "a dataset",
    "https://huggingface.co/spaces/a/b": "a space",
    "https://huggingface.co/models?search=x": "a list of models",
    "https://huggingface.co/a/b/unknown": "Did you mean hf:a/b ?",
    "https://huggingface.co/a/b/tree/%ff": "not UTF-8",
    "file:models/x": "absolute path",
    "file:": "absolute path",
    "file:C:\\x": "absolute path",
    "file:/a/../b": "'..'",
    "file:/a/%2e%2e/b": "'..'",
    "https://": "not an address",
    "https:///x": "not an address",
    "https://[::1/x": "not an address",
    "https://example.org": "names no file",
    "https://example.org/x#y": "no query",
    "x" * 8001: "at most 8000 characters",
    "hf:a/b#" + "x" * 100_000: "at most 8000 characters",
}
ELSEWHERE = [
    "https://huggingface.co:8443/a/b",
    "https://huggingface.co.example.org/a/b",
    "https://nothuggingface.co/a/b",
    "https://civitai.com.example.org/models/12",
    "https://mycivitai.com/models/12",
    "https://example.org/huggingface.co/a/b",
]

SECRET = "s3cr3tS3CR3Ts3cr3t"
HF_TOKEN = "hf_" + "aB3" * 11
LEAKY_ACCEPTED = [
    f"https://user:{SECRET}@huggingface.co/a/b",
    f"https://{SECRET}@huggingface.co/a/b",
    f"https://huggingface.co/a/b/resolve/main/x.json?token={SECRET}",
    f"https://civitai.com/api/download/models/34?token={SECRET}",
    f"civitai:https://civitai.com/models/12?token={SECRET}#56",
    f"https://huggingface.co/a/b#{SECRET}",
]
LEAKY_REFUSED = [
    f"https://user:{SECRET}@example.org/x",
    f"https://example.org/x?token={SECRET}",
    f"https://example.org/x?X-Amz-Signature={SECRET}",
    f"https://user:{SECRET}@huggingface.co/datasets/a/b",
    f"https://huggingface.co/datasets/a/b?token={SECRET}",
    f"http://user:{SECRET}@example.org/x",
    f"user:{SECRET}@huggingface.co/a/b",
    f"hff:user:{SECRET}@example.org/a/b",
    f"hff://user:{SECRET}@example.org/a/b",
    f"hf://user:{SECRET}@example.org/a/b",
    f"hf://{SECRET}@example.org/a/b",
    f"ftp://user:{SECRET}@example.org/x",
    f"hf:a/b?token={SECRET}",
    f"hf:a/b@main?token={SECRET}",
    f"hf:a/b#x?token={SECRET}",
    f"civitai:12?token={SECRET}",
    f"civitai:12&token={SECRET}",
    f"hf:https://user:{SECRET}@example.org/a/b",
    f"plugged:target?api_key={SECRET}",
    f"a/b?token={SECRET}",
    f"https://user:{SECRET}@[::1/x",
]


@pytest.mark.parametrize(("text", "ref"), WRITTEN.items())
def test_a_reference_is_read(text: str, ref: Ref) -> None:
    assert parse(text) == ref


@pytest.mark.parametrize("text", [*WRITTEN, *PASTED])
def test_the_canonical_form_means_the_same(text: str) -> None:
    ref = parse(text)

    assert parse(str(ref)) == ref


@pytest.mark.parametrize(("text", "canonical"), PASTED.items())
def test_a_pasted_address_is_read(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical


@pytest.mark.parametrize(("text", "why"), REFUSED.items(), ids=range(len(REFUSED)))
def test_what_is_no_reference_is_refused_with_a_reason_and_the_grammar(text: str, why: str) -> None:
    with pytest.raises(InvalidRef) as refused:
        parse(text)

    assert why in refused.value.message
    assert "hf:<author>/<name>[@<revision>][#<file or pattern>,...]" in refused.value.message
    assert len(refused.value.message) < 1_000


@pytest.mark.parametrize("text", ELSEWHERE)
def test_an_address_that_only_looks_like_a_hub_is_not_the_hub(text: str) -> None:
    assert parse(text).scheme == "https"


def test_only_the_forms_that_are_allowed_are_shown() -> None:
    with pytest.raises(InvalidRef) as refused:
        parse("file:/x", schemes=["hf", "plugged"])

    assert "'file' is not a source that is allowed here" in refused.value.message
    assert "plugged:<target>" in refused.value.message
    assert "https://" not in refused.value.message


@pytest.mark.parametrize("text", ["https://huggingface.co/a/b", "hf:https://huggingface.co/a/b"])
def test_a_page_of_a_hub_that_is_not_allowed_is_not_fetched_as_a_plain_file(text: str) -> None:
    with pytest.raises(InvalidRef, match=r"not allowed here|is not a source that is allowed"):
        parse(text, schemes=["civitai", "https"])


def test_a_plug_ins_reference_is_split_like_all_others() -> None:
    ref = parse("ollama:lib/x%40y@v1#a,b", schemes=[*SCHEMES, "ollama"])

    assert ref == Ref("ollama", "lib/x@y", "v1", ("a", "b"))
    assert parse(str(ref), schemes=["ollama"]) == ref


def test_a_plug_ins_reference_needs_a_target() -> None:
    with pytest.raises(InvalidRef, match="Nothing follows ollama:"):
        parse("ollama:@v1", schemes=["ollama"])


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:8080/mirror/a/b/tree/main",
        "127.0.0.1:8080/mirror/a/b/tree/main",
        "hf:http://127.0.0.1:8080/mirror/a/b/tree/main",
    ],
)
def test_pages_of_a_hub_of_ones_own_are_read(text: str) -> None:
    ref = parse(text, endpoints={"hf": "http://127.0.0.1:8080/mirror/"})

    assert ref == Ref("hf", "a/b", "main")


def test_another_path_or_port_is_not_the_hub_of_ones_own() -> None:
    endpoints = {"hf": "https://example.org/mirror", "civitai": "https://civit.example.org"}

    assert parse("https://example.org/mirrored/a/b", endpoints=endpoints).scheme == "https"
    assert parse("https://example.org:444/mirror/a/b", endpoints=endpoints).scheme == "https"
    assert parse("https://example.org:443/mirror/a/b", endpoints=endpoints).scheme == "hf"
    assert parse("https://civit.example.org/models/12", endpoints=endpoints).target == "12"


@pytest.mark.parametrize("text", LEAKY_ACCEPTED)
def test_a_secret_in_a_pasted_address_is_not_kept(text: str) -> None:
    ref = parse(text)

    assert SECRET not in repr(ref)
    assert SECRET not in str(ref)


@pytest.mark.parametrize("text", LEAKY_REFUSED)
def test_a_secret_is_not_shown_in_an_error(text: str) -> None:
    with pytest.raises(InvalidRef) as refused:
        parse(text)

    assert SECRET not in "".join(traceback.format_exception_only(refused.value))
    assert refused.value.__context__ is None
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    "text", [f"hf:a/b@{HF_TOKEN}", f"hf:a/b#{HF_TOKEN}", HF_TOKEN, f"hf:{HF_TOKEN}/b"]
)
def test_a_token_in_any_place_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(InvalidRef) as refused:
        parse(text)

    assert HF_TOKEN not in refused.value.message


def test_the_text_stays_as_it_was_written() -> None:
    assert parse(" HF:a/b@main ").text == "HF:a/b@main"


def test_something_that_is_no_text_is_refused() -> None:
    with pytest.raises(InvalidRef, match="is a text"):
        parse(None)  # type: ignore[arg-type]


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
LIKELY = st.lists(
    st.sampled_from(
        ["hf:", "civitai:", "file:/", "https://", "huggingface.co", "civitai.com", "models", "tree",
         "a", "b1", "/", "@", "#", ",", "%", "%2F", "%00", "..", "?", "=", " ", "main", "12", ":"]
    ),
    max_size=14,
).map("".join)  # fmt: skip


@given(ANY_TEXT | LIKELY | LIKELY.map("hf:a/b".__add__) | ANY_TEXT.map("hf:a/b#".__add__))
def test_any_text_is_a_reference_that_reads_back_or_is_refused(text: str) -> None:
    try:
        ref = parse(text)
    except InvalidRef as refused:
        again = refused.message
    else:
        again = str(parse(str(ref)))

    assert again


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1).filter(
            lambda name: name.strip() == name
        ),
        min_size=1,
        unique=True,
    )
)
def test_every_file_name_can_be_written_in_a_reference(names: list[str]) -> None:
    ref = Ref("hf", "a/b", "main", tuple(names))

    assert parse(str(ref)) == ref
