"""Two small hubs to look at without an internet: every kind of model, and every kind of refusal."""

from __future__ import annotations

from tests.hubs import folders, models
from tests.hubs.civitai import File, Version
from tests.hubs.content import Generated
from tests.hubs.hub import Hub

MIB = 1 << 20
LICENCE = {"license": "openrail++"}


def fill(hub: Hub, *, size_mib: int = 64) -> None:
    """`size_mib` is that of the checkpoints."""
    _huggingface(hub, size_mib * MIB)
    _civitai(hub, size_mib * MIB)


def _huggingface(hub: Hub, size: int) -> None:
    add = hub.huggingface.add
    checkpoint = models.sdxl_checkpoint(size=size, seed=1)
    card = "---\nlicense: openrail++\n---\n# Forge XL\n"
    files = {"forge-xl.safetensors": checkpoint, "README.md": card}
    forge = add("dreamforge-demo/forge-xl", files, card=LICENCE, tags=("v1.0",))
    forge.branch("feature/softer", files={"forge-xl.safetensors": models.sdxl_checkpoint(seed=2)})
    forge.pull_request(1, {"README.md": card + "\nA word more.\n"})
    parts = folders.sdxl(variants=("fp16",), duplicates=True, unet_size=size // 2)
    add("dreamforge-demo/forge-xl-diffusers", parts, card=LICENCE, library="diffusers")
    add("dreamforge-demo/ink-lora", {"ink.safetensors": models.lora()}, card=LICENCE)
    add("dreamforge-demo/clear-vae", {"vae.safetensors": models.vae()}, card=LICENCE)
    add("dreamforge-demo/gated-xl", {"gated.safetensors": checkpoint}, gated="auto")
    add("dreamforge-demo/private-xl", {"private.safetensors": checkpoint}, private=True)
    hub.huggingface.rename("forge-xl", "dreamforge-demo/forge-xl")


def _civitai(hub: Hub, size: int) -> None:
    pruned = File(
        "forgeXL_v2.safetensors", models.sdxl_checkpoint(size=size, seed=3), size="pruned"
    )
    vae = File("forgeXL_v2.vae.safetensors", models.vae(seed=3), type="VAE")
    old = File("forgeXL_v1.safetensors", models.sdxl_checkpoint(seed=4))
    hub.civitai.add(
        1001,
        [Version(5002, "v2.0", (pruned, vae)), Version(5001, "v1.0", (old,), login=True)],
        name="Forge XL",
        tags=("base model",),
    )
    ink = File("ink.safetensors", models.lora(seed=5))
    until = "2030-01-01T00:00:00.000Z"
    hub.civitai.add(
        1002,
        [Version(5004, "early", (ink,), early_access_until=until), Version(5003, "v1", (ink,))],
        name="Ink lines",
        type="LORA",
    )
    gone = File("gone.safetensors", Generated(MIB))
    hub.civitai.add(1003, [Version(5005, files=(gone,), archived=True)], name="Gone")
