# Web, IO worker and scheduler: everything but drawing. No torch, no compiler, no pip, not root.
# Build from the top of the repository:  docker build -f deploy/service.Dockerfile .

FROM python:3.11.14-slim-bookworm AS builder
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends binutils \
    && rm -rf /var/lib/apt/lists/*
# Set to any value for the OpenTelemetry packages.
ARG TRACING=""
COPY requirements/service.txt requirements/tracing.txt /build/requirements/
RUN python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --no-compile \
        -r /build/requirements/service.txt ${TRACING:+-r /build/requirements/tracing.txt}
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /app
COPY manage.py ./
COPY dreamforge_site ./dreamforge_site
COPY downloader ./downloader
COPY jobs ./jobs
COPY registry ./registry
COPY runners ./runners
COPY templates ./templates
COPY deploy/probe.py deploy/create_bucket.py ./deploy/
COPY deploy/prune.sh /build/prune.sh
# The settings use hashed, compressed static files where a manifest stands: an empty one begins it.
# Source maps are half of the collected files and only serve work on those libraries.
RUN mkdir staticfiles \
    && echo '{"version": "1.1", "paths": {}}' > staticfiles/staticfiles.json \
    && DF_DATA_DIR=/build/data python manage.py collectstatic --noinput --verbosity 0 \
    && find staticfiles -name '*.map*' -delete \
    && sh /build/prune.sh /opt/venv/lib/python3.11/site-packages \
    && DF_DATA_DIR=/build/data python manage.py check \
    && find /app /opt/venv -type d -name __pycache__ -prune -exec rm -rf {} + \
    && python -m compileall -q --invalidation-mode unchecked-hash /opt/venv/lib /app

FROM python:3.11.14-slim-bookworm
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
    DF_HOST=0.0.0.0 \
    DF_DATA_DIR=/data \
    DF_MODELS_ROOT=/models
WORKDIR /app
USER 10001:10001
EXPOSE 8000
CMD ["python", "manage.py", "web"]
