"""Composition root: settings, URLs, servers, accounts, API plumbing, operations."""
