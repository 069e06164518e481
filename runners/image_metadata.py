"""What an image says of itself, in the forms that tools of this field read.

PNG: a text chunk `parameters` in the form that most web interfaces write, and one `dreamforge` with
everything as JSON. JPEG: the EXIF field UserComment holds `parameters`, the comment segment the
JSON. The JSON is the truth: in the other form a prompt that holds the words "Negative prompt:"
cannot be told apart.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

PARAMETERS = "parameters"
RECORD = "dreamforge"
# Our names of schedulers, as readers of `parameters` expect them: sampler and schedule type.
SAMPLERS: Mapping[str, tuple[str, str]] = {
    "ddim": ("DDIM", ""),
    "ddpm": ("DDPM", ""),
    "deis": ("DEIS", ""),
    "dpm2": ("DPM2", ""),
    "dpm2_a": ("DPM2 a", ""),
    "dpm2_a_karras": ("DPM2 a", "Karras"),
    "dpm2_karras": ("DPM2", "Karras"),
    "dpmpp_2m": ("DPM++ 2M", ""),
    "dpmpp_2m_exponential": ("DPM++ 2M", "Exponential"),
    "dpmpp_2m_karras": ("DPM++ 2M", "Karras"),
    "dpmpp_2m_sde": ("DPM++ 2M SDE", ""),
    "dpmpp_2m_sde_karras": ("DPM++ 2M SDE", "Karras"),
    "dpmpp_sde": ("DPM++ SDE", ""),
    "dpmpp_sde_karras": ("DPM++ SDE", "Karras"),
    "euler": ("Euler", ""),
    "euler_a": ("Euler a", ""),
    "euler_karras": ("Euler", "Karras"),
    "heun": ("Heun", ""),
    "lcm": ("LCM", ""),
    "pndm": ("PLMS", ""),
    "tcd": ("TCD", ""),
    "unipc": ("UniPC", ""),
    "unipc_karras": ("UniPC", "Karras"),
}
QUOTED = frozenset(',:"\n\r')
CODE_UNICODE = b"UNICODE\0"
CODE_ASCII = b"ASCII\0\0\0"
LONGEST_SEGMENT = 65_533
EXIF_POINTER, USER_COMMENT = 0x8769, 0x9286
LONG, UNDEFINED = 4, 7


def parameters_text(facts: Mapping[str, Any]) -> str:
    """The widespread form: prompt, negative prompt, and a line of settings."""
    sampler, schedule = SAMPLERS.get(facts["scheduler"], (str(facts["scheduler"]), ""))
    settings = {
        "Steps": facts["steps"],
        "Sampler": sampler,
        "Schedule type": schedule,
        "CFG scale": facts["guidance"],
        "Seed": facts["seed"],
        "Size": f"{facts['width']}x{facts['height']}",
        "Model hash": _short_hash(facts.get("checkpoint_hash")),
        "Model": facts.get("model_name", ""),
        "Version": facts.get("software", ""),
    }
    line = ", ".join(f"{name}: {_quoted(value)}" for name, value in settings.items() if value != "")
    negative = str(facts.get("negative_prompt") or "")
    lines = [str(facts["prompt"])]
    if negative:
        lines.append(f"Negative prompt: {negative}")
    return "\n".join([*lines, line])


def record_text(facts: Mapping[str, Any]) -> str:
    """Everything, as ASCII JSON: no reader can get its encoding wrong."""
    return json.dumps(dict(facts), ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def exif(facts: Mapping[str, Any]) -> bytes:
    """An EXIF block (with its header) whose UserComment is the widespread form. ValueError: longer
    than a JPEG can hold."""
    comment = CODE_UNICODE + parameters_text(facts).encode("utf-16-be", "surrogatepass")
    return _bounded(b"Exif\0\0" + _tiff(comment))


def comment(facts: Mapping[str, Any]) -> bytes:
    """The record for a JPEG's comment segment. ValueError as above."""
    text = json.dumps(dict(facts), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return _bounded(text.encode("utf-8", "surrogatepass"))


def read_exif(block: bytes) -> str | None:
    """The UserComment of an EXIF block, if it has one. Hostile blocks give None, never an
    exception."""
    try:
        return _read_tiff(block.removeprefix(b"Exif\0\0"))
    except (struct.error, ValueError, IndexError, KeyError):
        return None


def record_of(text: str | None) -> dict[str, Any] | None:
    """The JSON record, if it is one that can be told on: NaN and halves of surrogate pairs, which
    no record of ours holds, are no JSON anywhere else."""
    if text is None:
        return None
    try:
        found = json.loads(text)
        json.dumps(found, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _short_hash(checkpoint_hash: str | None) -> str:
    return (checkpoint_hash or "").removeprefix("sha256:")[:10]


def _quoted(value: Any) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if QUOTED & set(text) else text


def _bounded(segment: bytes) -> bytes:
    if len(segment) > LONGEST_SEGMENT:
        raise ValueError(f"metadata of {len(segment)} bytes; a JPEG holds {LONGEST_SEGMENT}")
    return segment


def _tiff(comment: bytes) -> bytes:
    """Big-endian, for older readers take the byte order of a Unicode comment from it.

    Header (8) | IFD0: a pointer (2 + 12 + 4) | IFD Exif: the comment's place (2 + 12 + 4) | comment
    """
    exif_at, comment_at = 26, 44
    ifd0 = struct.pack(">HHHIII", 1, EXIF_POINTER, LONG, 1, exif_at, 0)
    exif_ifd = struct.pack(">HHHIII", 1, USER_COMMENT, UNDEFINED, len(comment), comment_at, 0)
    return b"MM\0\x2a" + struct.pack(">I", 8) + ifd0 + exif_ifd + comment


def _read_tiff(tiff: bytes) -> str | None:
    order = {b"MM": ">", b"II": "<"}[tiff[:2]]
    (ifd0_at,) = struct.unpack_from(f"{order}I", tiff, 4)
    (exif_at,) = struct.unpack(f"{order}I", _fields(tiff, ifd0_at, order)[EXIF_POINTER])
    return _comment_text(_fields(tiff, exif_at, order)[USER_COMMENT], order)


def _fields(tiff: bytes, at: int, order: str) -> dict[int, bytes]:
    """The raw values of one directory; of the types that we write."""
    (count,) = struct.unpack_from(f"{order}H", tiff, at)
    found = {}
    for number in range(count):
        tag, kind, length, value = struct.unpack_from(f"{order}HHII", tiff, at + 2 + 12 * number)
        size = length * (4 if kind == LONG else 1)
        place = value if size > 4 else at + 2 + 12 * number + 8
        if place + size > len(tiff):
            raise ValueError("a field beyond the end")
        found[tag] = tiff[place : place + size]
    return found


def _comment_text(comment: bytes, order: str) -> str:
    code, text = comment[:8], comment[8:]
    if code == CODE_UNICODE:
        return text.decode("utf-16-be" if order == ">" else "utf-16-le", "replace")
    return text.decode("ascii" if code == CODE_ASCII else "utf-8", "replace")
