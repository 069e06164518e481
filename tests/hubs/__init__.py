"""The hubs' side of the wire, for tests, demos and benchmarks: Hugging Face, CivitAI, the storage
host both redirect to, and a plain web server, on loopback ports of their own.

    with hubs.running() as hub:
        url = hub.web.add("/a.bin", hubs.Generated(2 << 30))            # plain file, no redirect
        repo = hub.huggingface.add("author/repo", {"a.safetensors": b"…", "config.json": "{}"})
        hub.civitai.add(100, [hubs.Version(1001, files=(hubs.File("a.safetensors", b"…"),))])
        hub.faults.add(hubs.faults.Reset(at=1000), path="*a.safetensors", times=1)
        hub.endpoint, hub.civitai_endpoint, hub.cdn_origin, hub.web_origin
        hub.requests.of("author/repo/*", origin="cdn"), hub.bytes_sent("*.safetensors"), hub.leaks
        hub.cdn.expire_all(), hub.cdn.max_uses = 3, hub.rotate_cdn()

Files are named by their subject, "author/repo/a.safetensors" or "<model>/<version>/a.safetensors",
in the log and in the patterns of faults, wherever they are asked for; `*` in a pattern crosses
slashes. Content is bytes, text, a Path (sent by sendfile), `Generated(size, seed)` or `Joined(…)`;
`models` and `folders` hold ready-made ones.

`process(…)` is the same in a process of its own, as `python -m tests.hubs` is for people. Clients
of Hugging Face need HF_HUB_DISABLE_XET=1 beside HF_ENDPOINT: there is no Xet storage here.
"""

from tests.hubs import faults
from tests.hubs.civitai import File, Version
from tests.hubs.content import Content, Generated, InMemory, Joined, OnDisk
from tests.hubs.hub import Hub, Ports, running
from tests.hubs.process import RemoteHub, process

__all__ = [
    "Content",
    "File",
    "Generated",
    "Hub",
    "InMemory",
    "Joined",
    "OnDisk",
    "Ports",
    "RemoteHub",
    "Version",
    "faults",
    "process",
    "running",
]
