"""Models in the admin: a list to search and to switch, and a page each. They come by download and
go by removal, so there is nothing to add, edit or delete here.
"""

from __future__ import annotations

from registry.admin import models

__all__ = ["models"]
