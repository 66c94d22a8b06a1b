#!/usr/bin/env bash
# Writes constraints.txt: the newest versions that pyproject.toml permits, as installed into an empty environment.
# Run the tests before committing what it wrote.
set -euo pipefail
cd "$(dirname "$0")/.."
env=$(mktemp -d)
trap 'rm -rf "$env"' EXIT

"${PYTHON:-python3}" -m venv "$env"
# --group needs pip 25.1; only whoever renews the lock needs it.
"$env/bin/python" -m pip install --quiet --upgrade pip
"$env/bin/python" -m pip install --quiet --group dev .
{
  echo "# The versions the tests ran with; exported from pyproject.toml by \`make lock\`, not edited by hand."
  "$env/bin/python" -m pip freeze --exclude penstroke
} >constraints.txt
# What only the benchmarks add.
"$env/bin/python" -m pip install --quiet --group bench
{
  echo "# The versions the benchmarks compare with; exported by \`make lock\`, not edited by hand."
  "$env/bin/python" -m pip freeze --exclude penstroke | grep -vxFf constraints.txt
} >bench/constraints.txt
echo "constraints.txt names $(grep -c == constraints.txt) packages, bench/constraints.txt $(grep -c == bench/constraints.txt)"
