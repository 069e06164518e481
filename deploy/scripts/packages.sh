# Sourced by the other scripts: Debian packages, installed or, without root, unpacked in .tools/root.
# Needs $PWD to be the top of the checkout.

say() { printf '%s\n' "$*" >&2; }
stop() { say "$*"; exit 1; }

# as_root COMMAND…: run it as root; status 1 when nobody may.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

# may_be_root: whether as_root can work here.
may_be_root() { as_root true; }

# install_packages NAME…: into the system where we may, else into .tools/root.
install_packages() {
    command -v apt-get >/dev/null ||
        stop "This needs the Debian packages $* and there is no apt-get: install their like, then try again."
    mkdir -p .tools
    local log=.tools/packages.log
    exec 8>.tools/packages.lock
    flock 8
    if may_be_root; then
        say "Installing Debian packages: $*"
        _install_into_the_system "$@" >"$log" 2>&1 ||
            { tail -n 5 "$log" >&2; stop "apt-get could not install $*; the whole story is in $log."; }
    else
        say "Unpacking Debian packages into .tools (no root here): $*"
        _unpack "$@" >"$log" 2>&1 ||
            { tail -n 5 "$log" >&2; stop "apt-get could not fetch $*; the whole story is in $log."; }
    fi
    exec 8>&-
}

_install_into_the_system() {
    local silent=(env DEBIAN_FRONTEND=noninteractive)
    # The tests start servers of their own: the packages must not start daemons.
    local policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
        trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    as_root "${silent[@]}" apt-get -q update
    as_root "${silent[@]}" apt-get -q -y --no-install-recommends install "$@"
}

# apt works on folders of our own, with the system's lists of sources and of installed packages.
_private_apt() {
    local state=$PWD/.tools/apt
    mkdir -p "$state/lists/partial" "$state/archives/partial"
    apt-get -q \
        -o "Dir::State=$state" -o "Dir::State::status=/var/lib/dpkg/status" \
        -o "Dir::Cache=$state" -o "Debug::NoLocking=1" -o "APT::Sandbox::User=" "$@"
}

_unpack() {
    _private_apt update || return
    _private_apt -y --no-install-recommends --download-only install "$@" || return
    mkdir -p .tools/root
    local archive
    for archive in .tools/apt/archives/*.deb; do
        dpkg -x "$archive" .tools/root || return
    done
    rm -rf .tools/apt
}
