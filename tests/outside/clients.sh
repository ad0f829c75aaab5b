#!/usr/bin/env bash
# The official Python clients, unmodified, against the binary. Installed into a throw-away virtual
# environment; says so and passes when the packages cannot be had.
set -euo pipefail
binary=$1
here=$(cd "$(dirname "$0")" && pwd)
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
if ! python3 -m venv "$home/venv" 2>/dev/null; then
  echo "no virtual environments here: the official clients were not run"
  exit 0
fi
if ! "$home/venv/bin/pip" install --quiet --disable-pip-version-check openai openrouter >"$home/log" 2>&1; then
  echo "openai and openrouter could not be installed: the official clients were not run"
  tail -2 "$home/log"
  exit 0
fi
"$home/venv/bin/python" "$here/clients.py" "$binary"
