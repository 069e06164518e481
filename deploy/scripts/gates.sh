#!/usr/bin/env bash
# Every gate of the project, cheap ones first; ends with a summary, and with 1 when a gate failed.
# The suites run only on a tree that passes the cheap gates.
set -uo pipefail
cd "$(dirname "$0")/../.."

results=() failed=0

# gate NAME TARGET: run `make TARGET`; the output of a cheap gate shows only when it failed.
gate() {
    local name=$1 target=$2 started=$SECONDS verdict=passed
    printf '%-28s ' "$name"
    if ! output=$("$MAKE" --no-print-directory "$target" 2>&1); then
        verdict=FAILED failed=1
    fi
    printf '%s (%d s)\n' "$verdict" $((SECONDS - started))
    [ "$verdict" = passed ] || printf '%s\n' "$output"
    results+=("$(printf '%-28s %s' "$name" "$verdict")")
}

# suite NAME TARGET: as a gate, but one watches it.
suite() {
    local name=$1 target=$2 started=$SECONDS verdict=passed
    printf '\n== %s\n' "$name"
    "$MAKE" --no-print-directory "$target" || { verdict=FAILED failed=1; }
    results+=("$(printf '%-28s %s (%d s)' "$name" "$verdict" $((SECONDS - started)))")
}

gate "format" check-format
gate "lint" lint
gate "imports" imports
gate "dependencies" dependencies
gate "types" types
gate "migrations" check-migrations
gate "OpenAPI document" check-openapi
gate "configuration documents" check-config-docs

if [ "$failed" -eq 0 ]; then
    suite "tests on SQLite" test-sqlite
    suite "tests on PostgreSQL" test-postgres
fi

printf '\n== Summary\n'
printf '%s\n' "${results[@]}"
[ "$failed" -eq 0 ] || { echo "Some gates FAILED; suites run once the cheap gates pass."; exit 1; }
echo "All gates passed."
