# shellcheck shell=sh
# Read by scripts/run and scripts/test, which set $root and the arguments: finds a Python that is new enough and lets
# _prepare.py do the rest.
# It does not touch .venv itself.

# An older Python than 3.11 must understand this line, and the name may be a shim that starts nothing.
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

# The environment's own Python first: once prepared, it stays on the version it was made with.
for python in "$root/.venv/bin/python" python3.13 python3.12 python3.11 python3 python3.14; do
    if new_enough "$python"; then
        # -I: nothing from the caller's folder or PYTHON* variables; -B: no __pycache__ among the scripts.
        exec "$python" -I -B "$root/scripts/_prepare.py" "$@"
    fi
done

echo "error: no Python 3.11 or newer was found (tried python3.13, python3.12, python3.11, python3, python3.14)" >&2
echo "try: install Python 3.11 or newer and make sure that it is on PATH" >&2
exit 2
