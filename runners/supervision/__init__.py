"""The parent's side: it owns the child that draws, its deadlines and its end."""

from runners.supervision.keeper import Keeper
from runners.supervision.limits import Limits
from runners.supervision.listening import Listener

__all__ = ["Keeper", "Limits", "Listener"]
