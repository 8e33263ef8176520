#!/usr/bin/env bash
# Installs what the tests and the benchmarks talk to: programs from Debian's packages, and a virtual environment with
# the packages of tests/requirements.txt in .peers/venv. Quick when all is there. Run by `make peers`.
#
#   PYTHON=python3   the interpreter of the virtual environment
#   CI=true          a peer that could not be installed is an error, not only a line
set -u

here=$(cd "$(dirname "$0")" && pwd)
venv=$(dirname "$here")/.peers/venv
python=${PYTHON:-python3}
missing=0

# program:package
programs=(
    curl:curl
    openssl:openssl
    nghttp:nghttp2-client
    h2load:nghttp2-client
    nghttpd:nghttp2-server
    nghttpx:nghttp2-proxy
    h2o:h2o
    chromium:chromium
    wrk:wrk
    taskset:util-linux
    valgrind:valgrind
)

say() { printf 'peers: %s\n' "$*" >&2; }

lacking() {
    say "$1"
    missing=1
}

install_packages() {
    local privileged=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! sudo -n true 2>/dev/null; then
            say "no root and no 'sudo -n': by hand, run: sudo apt-get install $*"
            return
        fi
        privileged=(sudo -n)
    fi
    if ! command -v apt-get >/dev/null; then
        say "no apt-get here: install by other means: $*"
        return
    fi
    say "installing $*"
    local install=("${privileged[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends)
    # The lists may be missing, or older than the packages; and one package that is not there must not stop the others.
    "${install[@]}" "$@" >/dev/null 2>&1 && return
    "${privileged[@]}" apt-get update -qq
    for package in "$@"; do
        "${install[@]}" "$package" >/dev/null
    done
}

wanted=()
for entry in "${programs[@]}"; do
    command -v "${entry%%:*}" >/dev/null || wanted+=("${entry##*:}")
done
if [ ${#wanted[@]} -gt 0 ]; then
    mapfile -t wanted < <(printf '%s\n' "${wanted[@]}" | sort -u)
    install_packages "${wanted[@]}"
    for entry in "${programs[@]}"; do
        command -v "${entry%%:*}" >/dev/null ||
            lacking "not installed: ${entry%%:*} (Debian package ${entry##*:}); the tests that need it are skipped"
    done
fi

# The virtual environment is as the list says when the stamp in it is the list.
if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
    say "installing tests/requirements.txt into .peers/venv"
    if { [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"; } &&
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"; then
        cp "$here/requirements.txt" "$venv/requirements.txt"
    else
        lacking "not installed: the Python packages of tests/requirements.txt; without them there is no end-to-end test"
    fi
fi

[ "$missing" -eq 0 ] || [ "${CI:-}" != true ]
