#!/bin/sh
# Looks for what `make` cannot install by itself, and says for each thing that is missing which command brings it.
# Python's headers and cmake are not needed: the extension module compiles no C against Python, and the C of the
# TLS library is compiled by the C compiler alone.
set -u
missing=0

lacking() {
    printf 'missing: %s; bring it with: %s\n' "$1" "$2" >&2
    missing=1
}

# True when version $1 is at least version $2.
at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

packages() {
    if command -v apt-get >/dev/null; then
        printf 'sudo apt-get install %s' "$1"
    elif command -v dnf >/dev/null; then
        printf 'sudo dnf install %s' "$2"
    else
        printf 'your package manager (Debian calls it %s)' "$1"
    fi
}

wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
if command -v cargo >/dev/null && command -v rustc >/dev/null; then
    found=$(rustc --version | cut -d' ' -f2)
    at_least "$found" "$wanted" ||
        lacking "Rust $wanted or newer (found $found)" "rustup update stable"
else
    lacking "Rust $wanted or newer" "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
fi

command -v cc >/dev/null || lacking "a C compiler (cc)" "$(packages build-essential gcc)"

python=${PYTHON:-python3}
if ! command -v "$python" >/dev/null; then
    lacking "Python 3.10 or newer ('$python' is no program)" "$(packages python3 python3)"
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    found=$("$python" -c 'import platform; print(platform.python_version())')
    lacking "Python 3.10 or newer ($python is $found)" "make PYTHON=/path/of/a/newer/python3"
elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    lacking "the venv module of $python" "$(packages python3-venv python3)"
fi

if [ "$missing" -ne 0 ]; then
    printf 'then run make again.\n' >&2
    exit 1
fi
