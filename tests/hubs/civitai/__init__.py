"""CivitAI: models with versions with files, its API, its downloads."""

from tests.hubs.civitai.catalogue import File, Model, Version
from tests.hubs.civitai.site import CivitAI

__all__ = ["CivitAI", "File", "Model", "Version"]
