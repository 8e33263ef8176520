#!/bin/sh
# All Rust tests: with nextest where it is installed, else with cargo; then the examples of the documentation.
set -eu
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --workspace --locked --no-fail-fast
else
    cargo test --workspace --locked --all-targets --no-fail-fast
fi
cargo test --workspace --locked --doc
