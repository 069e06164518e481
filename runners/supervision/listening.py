"""Who is told what the child does."""

from __future__ import annotations

from runners.protocol import ToParent


class Listener:
    """Called from the thread that draws. This one hears nothing."""

    def heard(self, message: ToParent) -> None:
        """Every message of the child, as it comes."""

    def tick(self) -> None:
        """Several times a second while the child works. An exception ends the child's work."""

    def device_memory(self, before: int | None, after: int | None, peak: int) -> None:
        """Bytes in use on the device before the child started and after it was gone, and the most
        its allocator held. None where the device cannot be asked; `after` also while the child
        stays for the next job."""
