"""The health check of a container: `python deploy/probe.py URL` ends with 0 when URL answers 200.

The images have no curl. Only the standard library, and no settings: a check runs every few seconds.
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

TIMEOUT_S = 4


def main(url: str) -> int:
    # The address is the operator's own, from the file that starts the container.
    request = urllib.request.Request(url, headers=_headers())  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            status = answer.status
    except urllib.error.HTTPError as error:
        return _report(f"{url} answered {error.code}: {error.read(500).decode(errors='replace')}")
    except OSError as error:
        return _report(f"{url} did not answer: {error}")
    return 0 if status == 200 else _report(f"{url} answered {status}")


def _headers() -> dict[str, str]:
    """Production answers only to the names it was given, also on loopback."""
    name = os.environ.get("DF_ALLOWED_HOSTS", "").split(",")[0].strip().lstrip(".")
    return {"Host": name} if name and name != "*" else {}


def _report(problem: str) -> int:
    sys.stderr.write(f"{problem}\n")
    return 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: probe.py URL")
    sys.exit(main(sys.argv[1]))
