"""`/v1/…` about images: what a job made, presets, and whether an image was made here."""
