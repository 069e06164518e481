#!/usr/bin/env bash
# venv.sh SET…: .venv with the pinned requirements/SET.txt in it. Does nothing when they are there.
# A set's stamp carries the hash of its file and is written last: a broken run is taken up again.
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/scripts/packages.sh

stamp_of() { echo ".venv/.installed/$1-$(sha256sum "requirements/$1.txt" | cut -c1-16)"; }

is_311() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; }

python_311() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3.11 /usr/bin/python3.11 python3; do
        if is_311 "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    stop "Python 3.11 is needed: apt-get install python3.11, or name yours with PYTHON=/path/to/python3.11"
}

make_venv() {
    local python
    python=$(python_311)
    rm -rf .venv
    if ! "$python" -c 'import ensurepip' 2>/dev/null && may_be_root; then
        install_packages python3.11-venv
    fi
    if "$python" -c 'import ensurepip' 2>/dev/null; then
        "$python" -m venv .venv
    else
        "$python" -m venv --without-pip .venv
        bring_pip
    fi
}

# Debian keeps ensurepip in a package of its own, which holds pip as a wheel: enough to start from.
bring_pip() {
    install_packages python3-pip-whl
    local wheel
    wheel=$(compgen -G '.tools/root/usr/share/python-wheels/pip-*.whl')
    .venv/bin/python "$wheel/pip" install --quiet --no-index "$wheel"
}

mkdir -p .tools
exec 9>.tools/venv.lock
flock 9

is_311 .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1 || make_venv

wanted=() stamps=()
for set in "$@"; do
    stamp=$(stamp_of "$set")
    if [ ! -e "$stamp" ]; then
        wanted+=(-r "requirements/$set.txt")
        stamps+=("$stamp")
    fi
done
[ ${#wanted[@]} -gt 0 ] || exit 0

say "Installing Python packages: ${wanted[*]//-r /}"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input "${wanted[@]}" ||
    stop "pip could not install them (see above); check the network and run the same command again."
mkdir -p .venv/.installed
touch "${stamps[@]}"
