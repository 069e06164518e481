"""`/api/download/models/{version}`: who gets which file, and where it lies."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

from tests.hubs import cdn
from tests.hubs.cdn import Storage
from tests.hubs.civitai.catalogue import File, Model, Version
from tests.hubs.messages import Refused, Request, Response, as_json, redirect

PART = 100 << 20


def download(
    storage: Storage, request: Request, model: Model, version: Version, account: str | None
) -> Response:
    """307 to signed storage, or the reason why not."""
    _refuse_what_is_gone(model, version)
    _refuse_whom_it_is_not_for(request, version, account)
    file = chosen(request, version)
    if file is None or file.listed_only:
        raise Refused(as_json({"error": "File not found"}, 404))
    return redirect(307, _signed(storage, model, version, file))


def chosen(request: Request, version: Version) -> File | None:
    """By `fileId`, else the first with the asked properties, else the primary one."""
    if wanted := request.query("fileId"):
        return next((file for file in version.files if str(file.id) == wanted), None)
    asked = {name: request.query(name) for name in ("type", "format", "size", "fp")}
    fits = [
        file
        for file in version.files
        if all(value in ("", getattr(file, name)) for name, value in asked.items())
    ]
    return min(fits, key=lambda file: not file.primary, default=None)


def subject(model: Model, version: Version, file: File) -> str:
    return f"{model.id}/{version.id}/{file.name}"


def _refuse_what_is_gone(model: Model, version: Version) -> None:
    if model.mode == "TakenDown":
        raise Refused(as_json({"error": "Model not found"}, 404))
    if version.archived or model.mode == "Archived":
        words = "This model has been archived and is not available for download"
        raise Refused(as_json({"error": "Archived", "message": words}, 410))
    if version.disabled:
        words = "The creator of this asset has disabled downloads on this file"
        raise Refused(as_json({"error": "Unauthorized", "message": words}, 401))


def _refuse_whom_it_is_not_for(request: Request, version: Version, account: str | None) -> None:
    if version.early_access_until:
        words = "The creator of this asset has set it to early access"
        until = version.early_access_until
        raise Refused(as_json({"error": "Early Access", "deadline": until, "message": words}, 403))
    if version.login and account is None:
        raise Refused(_login(request))


def _login(request: Request) -> Response:
    """People are sent to a page, scripts are told."""
    if "Mozilla" in (request.header("user-agent") or ""):
        back = quote(request.raw_path, safe="")
        return redirect(307, f"/login?returnUrl={back}&reason=download-auth")
    words = "The creator of this asset requires you to be logged in to download it"
    return as_json({"error": "Unauthorized", "message": words}, 401)


def _signed(storage: Storage, model: Model, version: Version, file: File) -> str:
    mark = hashlib.md5(f"{file.id}".encode(), usedforsecurity=False).hexdigest()
    path = f"/civitai-delivery-worker-prod/model/{model.id}/file.{mark[:4]}.{file.id}"
    etag = hashlib.md5(file.content.identity.encode(), usedforsecurity=False).hexdigest()
    parts = file.content.size // PART + 1
    stored = cdn.Stored(
        file.content,
        subject(model, version, file),
        f"{etag}-{parts}",
        file.name if file.disposition is None else file.disposition,
        attachment=True,
        allows_head=False,
    )
    storage.put(path, stored)
    return storage.signed(path)
