"""`python -m tests.hubs`: the hubs as a process, until it is told to stop.

The first line of its output is JSON: the addresses of its origins.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import sys
import threading

from tests.hubs import control
from tests.hubs.hub import Hub, Ports, running


def main() -> None:
    options = _options()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with running(Ports(*(int(port) for port in options.ports.split(",") if port))) as hub:
        _fill(hub, options.fill, json.loads(options.arguments))
        hub.open_beside("control", control.Door(hub).answer)
        sys.stdout.write(json.dumps(hub.origins) + "\n")
        sys.stdout.flush()
        if options.stop_with_stdin:
            threading.Thread(target=_await_the_end, args=(stopped,), daemon=True).start()
        else:
            sys.stderr.write(_settings(hub))
        stopped.wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.hubs", description=__doc__)
    parser.add_argument(
        "--ports", default="", help="of Hugging Face, CivitAI, storage, web: 8780,8781,8782,8783"
    )
    parser.add_argument("--fill", default="tests.hubs.demo:fill", help="module:function(hub)")
    parser.add_argument("--with", dest="arguments", default="{}", help="its arguments, as JSON")
    parser.add_argument("--stop-with-stdin", action="store_true", help="end when stdin ends")
    return parser.parse_args()


def _fill(hub: Hub, name: str, arguments: dict[str, object]) -> None:
    module, _, function = name.partition(":")
    getattr(importlib.import_module(module), function)(hub, **arguments)


def _settings(hub: Hub) -> str:
    """What a client needs in its environment."""
    settings = {
        "HF_ENDPOINT": hub.endpoint,
        "HF_TOKEN": hub.huggingface.token,
        "HF_HUB_DISABLE_XET": "1",
        "DF_CIVITAI_ENDPOINT": hub.civitai_endpoint,
        "CIVITAI_TOKEN": hub.civitai.token,
    }
    return "".join(f"export {name}={value}\n" for name, value in settings.items())


def _await_the_end(stopped: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        continue
    stopped.set()


if __name__ == "__main__":
    main()
