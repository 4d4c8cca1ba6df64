"""Write hookbridge/web/fields.json: what the fields of the API's structs mean, from the docstrings below them.

Python keeps no docstring of a field, and a service need not have its sources; a test fails while the file is not what
this would write.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import sys
from itertools import pairwise
from pathlib import Path

from hookbridge.web.routes import ROUTES
from hookbridge.web.schemas import FIELDS, explained, name_of, readable

FILE = Path(__file__).resolve().parent.parent / "hookbridge" / "web" / FIELDS


def text() -> str:
    """Give the file as it should be."""
    found = {name_of(kind): meanings(kind) for kind in explained(route for route in ROUTES if route.tag is not None)}
    known = {name: fields for name, fields in sorted(found.items()) if fields}
    return json.dumps(known, ensure_ascii=False, indent=1) + "\n"


def meanings(kind: type) -> dict[str, str]:
    """Give what a class says below its own fields."""
    written = ast.parse(inspect.getsource(sys.modules[kind.__module__]))
    declared = next(
        (node for node in written.body if isinstance(node, ast.ClassDef) and node.name == kind.__qualname__), None
    )
    found: dict[str, str] = {}
    for field, below in pairwise(declared.body if declared else ()):
        match field, below:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(docstring))):
                found[name] = readable(docstring)
    return found


def main() -> None:
    """Write it."""
    argparse.ArgumentParser(prog="scripts/field-meanings", description=__doc__).parse_args()
    FILE.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
