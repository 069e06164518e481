"""Fetching, verifying and installing model files, as a library: it knows no Django and no database.

The way of a model through it:

    refs.parse → source.resolve → plan.make → acquisition.acquire
                                                  ├─ transfer: bytes into the store's staging area
                                                  ├─ checksums: their trust
                                                  ├─ store: one blob for each content
                                                  └─ install: a folder of links, `model.json` last

Each step takes values and returns values; what may be stopped or watched takes a `Control` and an
`Observer` (`watch`). Errors are those of `errors`.
"""
