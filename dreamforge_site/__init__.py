"""Composition root: settings, URLs, servers, accounts, API plumbing, operations."""

__version__ = "0.1.0"
