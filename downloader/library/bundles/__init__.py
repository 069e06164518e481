"""Bundles: repositories and models on their way to a machine without a network.

A bundle is a folder or a tar of `manifest.json`, `manifest.json.sig` and `blobs/<2 hex>/<hash>`.
The manifest names every file with its SHA-256 and is signed, so that a bundle is believed as far
as its key is, and its bytes as far as they fit the manifest. It may leave out blobs that the other
side has.

`manifest` is what it says and `parsing` reads that; `signing` tells who says so; `writing` makes a
bundle, `reading` opens one, `bringing` takes it in.
"""

FORMAT = "dream-forge-bundle"
INVENTORY = "dream-forge-inventory"
FORMAT_VERSION = 1
MANIFEST = "manifest.json"
SIGNATURE = "manifest.json.sig"
MANIFEST_BYTES = 256 << 20
SIGNATURE_BYTES = 4096
READ_BYTES = 1 << 20


def blob_name(sha256: str) -> str:
    """Of a blob inside a bundle."""
    return f"blobs/{sha256[:2]}/{sha256}"
