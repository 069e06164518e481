"""The Hugging Face hub: repositories with commits and branches, its API, its files."""

from tests.hubs.huggingface.repositories import Repository
from tests.hubs.huggingface.site import HuggingFace

__all__ = ["HuggingFace", "Repository"]
