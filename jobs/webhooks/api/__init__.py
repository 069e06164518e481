"""Webhooks over HTTP: parse, one call, render."""
