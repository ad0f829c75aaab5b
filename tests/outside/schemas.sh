#!/usr/bin/env bash
# Native requests against the vendors' published types. Installed into a throw-away virtual
# environment; says so and passes when the packages cannot be had.
set -euo pipefail
binary=$1
shared=${2:-}
here=$(cd "$(dirname "$0")" && pwd)
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
if ! python3 -m venv "$home/venv" 2>/dev/null; then
  echo "no virtual environments here: native requests were not validated"
  exit 0
fi
if ! "$home/venv/bin/pip" install --quiet --disable-pip-version-check \
  anthropic google-genai cohere openai boto3 >"$home/log" 2>&1; then
  echo "the vendors' clients could not be installed: native requests were not validated"
  tail -2 "$home/log"
  exit 0
fi
"$home/venv/bin/python" "$here/schemas.py" "$binary" $shared
