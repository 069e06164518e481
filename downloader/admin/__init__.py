"""Downloads in the admin: a list, a page each, and the form that starts one."""

from __future__ import annotations

from downloader.admin import downloads, repos

__all__ = ["downloads", "repos"]
