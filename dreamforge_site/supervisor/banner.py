"""What the user reads once the service stands: where to look and how to sign in. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Welcome:
    url: str
    data_dir: str
    username: str
    # Known only at the first start, and only when the user did not choose it.
    one_time_password: str | None
    created: bool
    open_access: bool
    not_ready: str = ""


def text(welcome: Welcome) -> str:
    return "\n".join(["", *_lines(welcome), ""])


def _lines(welcome: Welcome) -> list[str]:
    head = f"  Dream Forge is ready at {welcome.url}"
    if welcome.not_ready:
        head = f"  Dream Forge runs at {welcome.url} but is not ready: {welcome.not_ready}"
    lines = [
        head,
        "",
        f"  Admin      {welcome.url}/admin/",
        f"  API        {welcome.url}/v1/docs",
        f"  Sign in    {_sign_in(welcome)}",
        f"  Data       {welcome.data_dir}",
    ]
    if welcome.open_access:
        lines.append("  Callers    on this machine need no sign-in for the API (DF_AUTH=off)")
    return [*lines, "  Stop       Ctrl-C"]


def _sign_in(welcome: Welcome) -> str:
    if welcome.one_time_password is not None:
        return f"{welcome.username}  password {welcome.one_time_password}  (shown only this once)"
    if welcome.created:
        return f"{welcome.username}  with the password given as DF_ADMIN_PASSWORD"
    return f"{welcome.username}  (forgotten? manage.py changepassword {welcome.username})"
