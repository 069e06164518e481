"""How one model is shown to whom."""

from __future__ import annotations

from typing import Any

from registry.api.serializers import ModelSerializer
from registry.models import Model

ON_DISK = "file:"


def shown(model: Model, *, to_staff: bool) -> dict[str, Any]:
    answer = dict(ModelSerializer(model).data)
    if to_staff:
        answer["local_path"] = str(model.folder) if model.local_path else None
        return answer
    answer["local_path"] = None
    if model.source_uri.startswith(ON_DISK):
        answer["source_uri"] = None
    return answer
