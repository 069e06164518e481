"""Bytes from servers into part files: parallel, resumable, hashed on the way.

The engine brings every byte and computes the digests; it does not judge trust. What it never does:
join the bytes of two versions, hand over a file that is shorter or longer than announced, or take a
login page for a file.
"""

from __future__ import annotations

from downloader.library.transfer.engine import Engine
from downloader.library.transfer.options import Fetched, Target, TransferOptions
from downloader.library.transfer.pace import Bucket

__all__ = ["Bucket", "Engine", "Fetched", "Target", "TransferOptions"]
