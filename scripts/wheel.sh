#!/bin/sh
# wheel.sh MATURIN ENVIRONMENT PROFILE...: builds the wheel for the interpreter of a virtual environment, and
# installs it there. PROFILE is what maturin is told: --release, or --profile dev.
set -eu
maturin=$1
environment=$2
shift 2

wheels=target/wheels/$(basename "$(dirname "$(realpath "$environment")")")-$(basename "$environment")
rm -rf "$wheels"
"$maturin" build --locked --quiet "$@" --interpreter "$environment/bin/python" \
    --manifest-path crates/python/Cargo.toml --out "$wheels"
"$environment/bin/python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$wheels"/*.whl
