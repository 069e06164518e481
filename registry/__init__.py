"""Which models exist, where they lie, and whether they may be used."""
