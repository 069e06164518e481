# The GPU worker: the service's code with torch and diffusers. Needs the NVIDIA container toolkit.
# Build from the top of the repository:  docker build -f deploy/runner.Dockerfile .
#
# torch 2.13.0 from PyPI is built for CUDA 13.0 and brings its own CUDA libraries (exact versions,
# pinned by torch itself), so the base needs only what makes the driver reachable. Python is the very
# one of the service image: NVIDIA's images come with another.

FROM python:3.11.14-slim-bookworm AS python

FROM nvidia/cuda:13.0.2-base-ubuntu24.04 AS base
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates libbz2-1.0 libffi8 libgomp1 liblzma5 libncursesw6 libreadline8t64 \
        libsqlite3-0 libssl3t64 libuuid1 zlib1g \
    && rm -rf /var/lib/apt/lists/*
COPY --from=python /usr/local/bin /usr/local/bin
COPY --from=python /usr/local/lib /usr/local/lib
RUN ldconfig \
    && python -c "import bz2, ctypes, lzma, readline, sqlite3, ssl, uuid, zlib"

FROM base AS builder
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements/service.txt requirements/runner.txt /build/requirements/
RUN python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --no-compile \
        -r /build/requirements/service.txt -r /build/requirements/runner.txt
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /app
COPY manage.py ./
COPY dreamforge_site ./dreamforge_site
COPY downloader ./downloader
COPY jobs ./jobs
COPY registry ./registry
COPY runners ./runners
COPY templates ./templates
COPY deploy/probe.py ./deploy/
# Without compiled bytecode the imports of one job take 10 s instead of 3 s.
RUN python -c "import torch; assert torch.version.cuda.startswith('13.'), torch.version.cuda" \
    && python -m compileall -q --invalidation-mode unchecked-hash /opt/venv/lib /app

FROM base
RUN groupadd --gid 10001 dreamforge \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data \
        --shell /usr/sbin/nologin dreamforge \
    && install -d -o 10001 -g 10001 -m 0750 /data /models
COPY --from=builder /opt/venv /opt/venv
COPY --from=builder /app /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DF_ENV=production \
    DF_DATA_DIR=/data \
    DF_MODELS_ROOT=/models
WORKDIR /app
USER 10001:10001
CMD ["python", "manage.py", "worker", "--queue", "gpu"]
