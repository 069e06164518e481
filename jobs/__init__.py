"""The durable job engine and the `generate` job type."""
