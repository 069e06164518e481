"""Fetching models from the hubs, and the mirror of tracked repositories."""
