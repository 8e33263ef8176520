#!/bin/sh
# venv.sh DIRECTORY PYTHON: a virtual environment of this interpreter, made anew when it was made with another one.
# DIRECTORY/.interpreter names the interpreter, and changes only when the environment is made.
set -eu
directory=$1
python=$2

identity=$("$python" -c 'import sys, sysconfig; print(sys.base_prefix, sysconfig.get_config_var("SOABI"), sys.version)')
if [ -x "$directory/bin/python" ] && [ "$(cat "$directory/.interpreter" 2>/dev/null)" = "$identity" ]; then
    exit 0
fi
"$python" -m venv --clear "$directory"
printf '%s\n' "$identity" >"$directory/.interpreter"
