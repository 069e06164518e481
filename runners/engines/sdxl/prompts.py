"""Prompts of any length as what the UNet listens to.

A text encoder reads 75 tokens at once. A longer prompt is cut between words into chunks, each is
read by itself, and what was read is put one after the other. The second encoder's summary is that
of the first chunk. Up to 75 tokens this is what diffusers itself does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import StableDiffusionXLPipeline

from runners.engines.sdxl.clip_tokens import WORD_END

Chunks = list[list[int]]


@dataclass(frozen=True)
class Encoded:
    """Of one prompt; `negative` and its summary are None where nothing guides."""

    prompt: torch.Tensor
    prompt_summary: torch.Tensor
    negative: torch.Tensor | None
    negative_summary: torch.Tensor | None


@dataclass(frozen=True)
class _Reader:
    """A text encoder with its tokenizer."""

    tokenizer: Any
    encoder: Any

    @property
    def room(self) -> int:
        return int(self.encoder.config.max_position_embeddings) - 2

    def chunks(self, text: str) -> Chunks:
        ids = self.tokenizer(text, add_special_tokens=False).input_ids
        words = self.tokenizer.convert_ids_to_tokens(ids)
        return cut(ids, [word.endswith(WORD_END) for word in words], self.room)

    def framed(self, chunks: Chunks, count: int, device: torch.device) -> torch.Tensor:
        """`count` rows of tokens: each chunk between start and end, filled up."""
        start, end = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        fill = self.tokenizer.pad_token_id
        padded = [*chunks, *([[]] * (count - len(chunks)))]
        rows = [[start, *ids, end, *([fill] * (self.room - len(ids)))] for ids in padded]
        return torch.tensor(rows, device=device)


@torch.no_grad()
def encode(pipe: StableDiffusionXLPipeline, prompt: str, negative: str, *, guided: bool) -> Encoded:
    readers = (
        _Reader(pipe.tokenizer, pipe.text_encoder),
        _Reader(pipe.tokenizer_2, pipe.text_encoder_2),
    )
    texts = [prompt, negative] if guided else [prompt]
    cuts = [[reader.chunks(text) for reader in readers] for text in texts]
    # Both sides of the guidance must be equally long.
    count = max(len(chunks) for of_text in cuts for chunks in of_text)
    read = [_read(pipe, readers, of_text, count) for of_text in cuts]
    return Encoded(*read[0], *(read[1] if guided else (None, None)))


def cut(ids: Sequence[int], ends_word: Sequence[bool], room: int) -> Chunks:
    """Chunks of at most `room`, each but the last ending with a word where one ends in it."""
    chunks, start = [], 0
    while len(ids) - start > room:
        ends = [at + 1 for at in range(start, start + room) if ends_word[at]]
        stop = ends[-1] if ends else start + room
        chunks.append(list(ids[start:stop]))
        start = stop
    return [*chunks, list(ids[start:])]


def _read(
    pipe: StableDiffusionXLPipeline,
    readers: Sequence[_Reader],
    cuts: Sequence[Chunks],
    count: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    device = pipe._execution_device
    heard = [
        reader.encoder(reader.framed(chunks, count, device), output_hidden_states=True)
        for reader, chunks in zip(readers, cuts, strict=True)
    ]
    words = torch.cat([said.hidden_states[-2].to(device) for said in heard], dim=-1)
    summary = heard[-1][0][:1]
    dtype = pipe.unet.dtype
    return words.reshape(1, -1, words.shape[-1]).to(dtype), summary.to(device, dtype)
