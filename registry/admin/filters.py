"""Filters of the list of models. Their choices come from tables, not from a look at every row."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from registry.descriptors import TRUST
from registry.models import Model

SOURCES = {"hf": "Hugging Face", "civitai": "CivitAI", "https": "a web address", "file": "a file"}


class SourceFilter(SimpleListFilter):
    title = "source"
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*SOURCES.items(), ("other", "another")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        scheme = self.value()
        if scheme in SOURCES:
            return queryset.filter(source_uri__startswith=f"{scheme}:")
        if scheme == "other":
            for known in SOURCES:
                queryset = queryset.exclude(source_uri__startswith=f"{known}:")
        return queryset


class TrustFilter(SimpleListFilter):
    title = "trust"
    parameter_name = "trust"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(word, word) for word in TRUST]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        return queryset.filter(Q(trust=self.value())) if self.value() else queryset
