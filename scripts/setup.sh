#!/usr/bin/env bash
# Makes or refreshes .venv: the versions of constraints.txt, and this project in it, editable.
# Needs Python >= 3.11 with venv, nothing else; uses uv where it is installed, because it is quicker.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

fail() { echo "set-up stopped: $*" >&2; exit 1; }

command -v "$python" >/dev/null || fail "there is no $python here; install Python 3.11 or newer (Debian: apt-get install python3 python3-venv), or name one with PYTHON=/path/to/python make ..."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$("$python" --version) is too old, 3.11 is the oldest that works; name a newer one with PYTHON=/path/to/python make ..."

# A .venv whose Python has gone (a system upgrade, a moved folder) is made again.
if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "making .venv with $("$python" --version)"
  "$python" -m venv --clear .venv ||
    fail "$python cannot make virtual environments (Debian: apt-get install python3-venv)"
fi

# --no-build-isolation: the build backend is among the pinned versions, so it is not fetched a second time.
quick() { command -v uv >/dev/null && uv pip install --quiet --python .venv/bin/python "$@"; }
plain() { .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@"; }
echo "installing the versions of constraints.txt"
quick -r constraints.txt || plain -r constraints.txt || fail "the packages of constraints.txt could not be installed (see above)"
quick --no-deps --no-build-isolation -e . || plain --no-deps --no-build-isolation -e . || fail "penstroke itself could not be installed (see above)"

# Compiled once here: some machines forbid writing .pyc files at run time, and each command would compile again.
.venv/bin/python -m compileall -q .venv/lib/python3*/site-packages src firmware_protocol sim ||
  echo "some files could not be compiled ahead; commands start a little slower" >&2
