"""The hub by way of `/v1`."""
