#!/usr/bin/env bash
# Sees that the tests find PostgreSQL, Redis, ExifTool, strace and Chromium; installs what is missing.
# RabbitMQ and what makes a FAT disk work in the system only: they come where root is to be had, and
# their tests are skipped elsewhere. S3 is rclone, which comes with requirements/dev.txt. Does nothing
# when all is there.
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/scripts/packages.sh

# found PATTERN…: whether a program matches, on the system or unpacked.
found() {
    local pattern
    for pattern in "$@"; do
        compgen -G "/$pattern" >/dev/null && return 0
        compgen -G ".tools/root/$pattern" >/dev/null && return 0
    done
    return 1
}

# Ubuntu's package is an empty shell around a snap; these are the browser itself.
browser() {
    found usr/lib/chromium/chromium opt/google/chrome/chrome 'playwright/*/*/chrome-headless-shell'
}

missing() {
    found 'usr/lib/postgresql/*/bin/initdb' || command -v initdb >/dev/null || echo postgresql
    found usr/bin/redis-server || command -v redis-server >/dev/null || echo redis-server
    found usr/bin/exiftool || command -v exiftool >/dev/null || echo libimage-exiftool-perl
    found usr/bin/strace || echo strace
    browser || on_ubuntu || echo chromium fonts-dejavu-core
}

# What a few tests can do without: they say so and are skipped.
missing_extras() {
    may_be_root || return 0
    found usr/lib/rabbitmq/bin/rabbitmq-server || echo rabbitmq-server
    found usr/sbin/mkfs.vfat sbin/mkfs.vfat || echo dosfstools
}

on_ubuntu() { grep -q '^ID=ubuntu' /etc/os-release; }

# Where no package holds a Chromium, Playwright brings its own.
bring_browser() {
    say "Fetching Playwright's Chromium into .tools"
    local root=$PWD/.tools/root/playwright
    PLAYWRIGHT_BROWSERS_PATH=$root .venv/bin/playwright install --only-shell chromium >&2 ||
        stop "No Chromium: install Google Chrome (into /opt/google/chrome), then try again."
    if may_be_root; then
        as_root .venv/bin/playwright install-deps chromium >&2
    fi
}

# shellcheck disable=SC2046  # one word a package
set -- $(missing)
[ $# -eq 0 ] || install_packages "$@"
# shellcheck disable=SC2046
set -- $(missing_extras)
[ $# -eq 0 ] || (install_packages "$@") || say "Without $*: the tests that need them are skipped."
browser || bring_browser
