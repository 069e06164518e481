"""The portal's world: the whole service with an engine that pretends, before a hub on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests import hubs
from tests.hubs import models
from tests.jobs.generation.forge import Forge
from tests.live import ADMIN, Templates, child_environment, manage

REPO = "forge/tiny-xl"
TRACKED = "forge/kept-xl"
LARGE = "forge/many-files"
SLOW_REPO = "forge/slow-xl"  # many seconds, whatever the network
MEMBER = ("mira", "a password of the portal")  # may draw, and download nothing
PHONE: ViewportSize = {"width": 390, "height": 844}
FILES = {
    "xl.safetensors": models.sdxl_checkpoint(),
    "README.md": "---\nlicense: openrail++\n---\n# Tiny\n",
    "vae/vae.safetensors": models.vae(),
    "vae/config.json": "{}",
}


class World(Forge):
    """The service, and the hub that it asks."""

    hub: hubs.Hub


@contextmanager
def world(templates: Templates, data_dir: Path) -> Iterator[World]:
    """The service, with one model to draw with and a member who is no staff."""
    with hubs.running() as hub:
        hub.huggingface.add(REPO, FILES, card={"license": "openrail++"})
        hub.huggingface.add(TRACKED, FILES, card={"license": "openrail++"})
        hub.huggingface.add(LARGE, {f"part-{n:05}.txt": "" for n in range(10_000)})
        hub.huggingface.add(SLOW_REPO, {"large.safetensors": hubs.Generated(24 << 20)})
        hub.faults.add(hubs.faults.RateCap(2 << 20), path="*large.safetensors")
        variables = {
            **templates.copy("sqlite", data_dir),
            "DF_RUNNER": "fake",
            "DF_AUTH": "on",
            "DF_MIN_FREE_BYTES": "0",
            "HF_ENDPOINT": hub.endpoint,
            "DF_CIVITAI_ENDPOINT": hub.civitai_endpoint,
            "DREAMFORGE_FAKE_STEP_MS": "40",
        }
        prepare(child_environment(data_dir, variables))
        forge = World(data_dir, variables)
        forge.hub = hub
        try:
            forge.wait_until_ready()
            install(forge)
            yield forge
        finally:
            forge.process.destroy()


def prepare(environment: dict[str, str]) -> None:
    name, password = MEMBER
    code = (
        "from dreamforge_site.accounts.models import User; "
        f"User.objects.create_user({name!r}, password={password!r})"
    )
    manage(environment, "shell", "--no-imports", "--command", code)


def install(forge: Forge) -> None:
    ref = {"ref": f"hf:{REPO}#xl.safetensors", "enable": True}
    done = as_staff(forge, "models:download?wait=60", ref)
    assert done.get("status") == "succeeded", done


def as_staff(forge: Forge, path: str, body: dict[str, Any]) -> Any:
    """POST to the API, which takes it."""
    name, password = ADMIN
    call = requests.Session()
    signed = call.post(
        f"{forge.base}/v1/auth/login", json={"username": name, "password": password}, timeout=30
    )
    call.headers["Authorization"] = f"Bearer {signed.json()['token']}"
    answer = call.post(f"{forge.base}/v1/{path}", json=body, timeout=90)
    assert answer.ok, answer.text
    return answer.json()


def sign_in(page: Page, account: tuple[str, str], address: str = "/app/") -> None:
    name, password = account
    page.goto(address)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation", name="Pages")).to_be_visible()


def begin(page: Page, prompt: str, count: int = 1) -> None:
    """Starts a job of images; over when it draws."""
    page.goto("/app/create")
    page.get_by_label("Prompt", exact=True).fill(prompt)
    page.get_by_label("Width").fill("64")
    page.get_by_label("Height").fill("64")
    page.get_by_label("Images", exact=True).fill(str(count))
    page.get_by_role("button", name="Draw", exact=True).click()
    expect(page.locator("#status")).to_contain_text("Drawing", timeout=60_000)


def draw(page: Page, prompt: str, *, count: int = 1, steps: int = 2, side: int = 64) -> Locator:
    """Fills the form, starts, and waits for the end; the images."""
    page.goto("/app/create")
    page.get_by_label("Prompt", exact=True).fill(prompt)
    page.get_by_label("Width").fill(str(side))
    page.get_by_label("Height").fill(str(side))
    page.get_by_label("Images", exact=True).fill(str(count))
    page.get_by_text("More settings").click()
    page.get_by_label("Steps").fill(str(steps))
    page.get_by_role("button", name="Draw", exact=True).click()
    expect(page.locator("#status")).to_contain_text("Done", timeout=60_000)
    images = page.locator("#items button.tile img")
    expect(images).to_have_count(count)
    return images


def too_small(page: Page) -> list[str]:
    """What can be touched and is smaller than a finger, by its markup."""
    touched = "button, a.button, a.touch, nav a, select, input, summary"
    small = """(touched) => [...document.querySelectorAll(touched)]
        .map((one) => [one, (one.closest("label") || one).getBoundingClientRect()])
        .filter(([, box]) => box.width && (box.height < 44 || box.width < 44))
        .map(([one]) => one.outerHTML.slice(0, 80))"""
    found: list[str] = page.evaluate(small, touched)
    return found


def shown_width(image: Locator) -> int:
    """Of the picture itself: 0 until its file is there."""
    expect(image).to_have_js_property("complete", True)
    width = image.evaluate("image => image.naturalWidth")
    return int(width)


def door_of(image: Locator) -> str:
    """The last word of the address it was loaded from: `file` or `thumbnail`."""
    expect(image).to_have_js_property("complete", True)
    return str(image.evaluate("image => new URL(image.currentSrc).pathname.split('/').pop()"))
