#!/usr/bin/env bash
# Pins requirements/*.in into requirements/*.txt, each layer held to the versions of the ones below.
set -euo pipefail
cd "$(dirname "$0")/../../requirements"

for layer in service tracing runner dev bench; do
    ../.venv/bin/uv pip compile --quiet --python-version 3.11 --no-header \
        --annotation-style line --no-emit-index-url --no-emit-find-links \
        --output-file "$layer.txt" "$layer.in" "$@"
done
# A local build of torch (…+cpu) is whatever the machine's own index offered; the pin is the release.
# torch itself pins the CUDA packages it needs; named here, they would come with a CPU build as well.
sed -i -E -e 's/^(torch==[0-9.]+)\+[a-z0-9]+/\1/' -e '/^(cuda-|nvidia-|triton==)/d' runner.txt
