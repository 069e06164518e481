"""How CivitAI describes models, versions and files, as values for JSON."""

from __future__ import annotations

from tests.hubs.civitai.catalogue import File, Model, Version

DATE = "2025-01-01T00:00:00.000Z"
KIB = 1024


def model(model: Model, base: str) -> dict[str, object]:
    described = _brief(model) | {
        "id": model.id,
        "description": model.description,
        **model.licence,
        "minor": False,
        "nsfwLevel": 1,
        "availability": "Public",
        "cosmetic": None,
        "supportsGeneration": False,
        "creator": {"username": model.creator, "image": None},
        "stats": {"downloadCount": 0, "thumbsUpCount": 0},
        "tags": list(model.tags),
        "modelVersions": [
            {**_version(version, base), "index": place}
            for place, version in enumerate(model.versions)
        ],
    }
    return described | ({"mode": model.mode} if model.mode else {})


def version(model: Model, version: Version, base: str) -> dict[str, object]:
    """A version asked for by itself, with a little about its model."""
    kind = model.type.lower()
    air = f"urn:air:sdxl:{kind}:civitai:{model.id}@{version.id}"
    about = _brief(model) | ({"mode": model.mode} if model.mode else {})
    return {**_version(version, base), "modelId": model.id, "model": about, "air": air}


def _brief(model: Model) -> dict[str, object]:
    return {"name": model.name, "type": model.type, "nsfw": model.nsfw, "poi": False}


def _version(version: Version, base: str) -> dict[str, object]:
    early = version.early_access_until
    files = [] if version.archived else [_file(version, file, base) for file in version.files]
    described = {
        "id": version.id,
        "name": version.name,
        "baseModel": version.base_model,
        "baseModelType": "Standard",
        "createdAt": DATE,
        "updatedAt": DATE,
        "publishedAt": DATE,
        "status": "Published",
        "availability": "EarlyAccess" if early else "Public",
        "nsfwLevel": 1,
        "description": None,
        "trainedWords": list(version.words),
        "stats": {"downloadCount": 0, "thumbsUpCount": 0},
        "files": files,
        "images": [],
        "downloadUrl": f"{base}/api/download/models/{version.id}",
    }
    return described | ({"earlyAccessEndsAt": early} if early else {})


def _file(version: Version, file: File, base: str) -> dict[str, object]:
    facts = {"format": file.format, "size": file.size, "fp": file.fp}
    described: dict[str, object] = {
        "id": file.id,
        "sizeKB": file.content.size / KIB if file.size_kb is None else file.size_kb,
        "name": file.name,
        "type": file.type,
        "pickleScanResult": file.pickle_scan,
        "pickleScanMessage": "No Pickle imports" if file.pickle_scan == "Success" else None,
        "virusScanResult": file.virus_scan,
        "virusScanMessage": None,
        "scannedAt": DATE if file.published_hashes else None,
        "metadata": {name: value for name, value in facts.items() if value is not None},
        "hashes": dict(file.published_hashes),
        "downloadUrl": f"{base}/api/download/models/{version.id}{_query(file)}",
    }
    return described | ({"primary": True} if file.primary else {})


def _query(file: File) -> str:
    """The published address names a file by its properties, which need not be unique."""
    if file.primary:
        return ""
    facts = {"type": file.type, "format": file.format, "size": file.size, "fp": file.fp}
    return "?" + "&".join(f"{name}={value}" for name, value in facts.items() if value)
