"""The hub: repositories that are tracked, mirrored file by file, and served back."""
