"""No name that aiohttp keeps for itself is used anywhere: what it calls private changes with any of its versions.

Ruff finds an access on another object (SLF001), but not one on ``self`` in a subclass, nor a name in a string, and is
not asked about tests.  So the names that aiohttp keeps are collected from its source; what we give, too, is ours.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

WORD = re.compile(r"\w+")
ROOT = Path(__file__).parents[2]
FOLDERS = ("hookbridge", "tests", "scripts", "examples")


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and len(name) > 1


def given(tree: ast.AST) -> Iterator[str]:
    """The private names that a module gives: to functions, and to attributes and variables that it sets."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Attribute(attr=name, ctx=ast.Store()) | ast.Name(id=name, ctx=ast.Store()):
                yield name


def used(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """What a module takes from somewhere: attributes, imports, and strings that say an attribute."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name):
                yield node.lineno, name
            case ast.ImportFrom(names=names):
                yield from ((node.lineno, one.name) for one in names)
            case ast.Constant(value=str(text)) if text.rpartition(".")[2].isidentifier():
                yield node.lineno, text.rpartition(".")[2]


def bases(tree: ast.AST) -> Iterator[tuple[ast.ClassDef, str]]:
    """Each class with the first part of each of its bases' names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for base in node.bases:
                yield node, ast.unparse(base).partition(".")[0].partition("[")[0]


def of_aiohttp(tree: ast.AST) -> set[str]:
    """The names under which a module knows aiohttp, and what it has from there."""
    return {
        (one.asname or one.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for one in node.names
        if (node.module or "" if isinstance(node, ast.ImportFrom) else one.name).partition(".")[0] == "aiohttp"
    }


def parsed(folder: Path, names: frozenset[str] = frozenset()) -> dict[Path, ast.Module]:
    """The modules below a folder; where there are names, those that have one of them somewhere."""
    texts = {path: path.read_text() for path in sorted(folder.rglob("*.py"))}
    return {path: ast.parse(text) for path, text in texts.items() if not names or names & set(WORD.findall(text))}


def taken(trees: dict[Path, ast.Module], kept: set[str]) -> list[str]:
    """Where one of aiohttp's private names is used; one that is ours, too, only in a class below one of aiohttp's."""
    ours = {name for tree in trees.values() for name in given(tree)}
    found = []
    for path, tree in trees.items():
        found += [f"{path}:{line} {name}" for line, name in used(tree) if name in kept - ours]
        known = of_aiohttp(tree)
        below = [node for node, base in bases(tree) if base in known]
        found += [f"{path}:{line} {name}" for node in below for line, name in used(node) if name in kept]
        found += [f"{path}:{node.lineno} {name}" for node in below for name in given(node) if name in kept]
    return found


@pytest.fixture(scope="module")
def kept() -> set[str]:
    """What aiohttp keeps for itself."""
    folder = Path(aiohttp.__file__).parent
    return {name for tree in parsed(folder).values() for name in given(tree) if is_private(name)}


def test_no_private_name_of_aiohttp_is_used(kept: set[str]) -> None:
    trees = {path: tree for folder in FOLDERS for path, tree in parsed(ROOT / folder, frozenset(kept)).items()}
    del trees[Path(__file__)]
    assert trees
    assert taken(trees, kept) == []


@pytest.mark.parametrize(
    "line",
    [
        "handler._request_in_progress",
        "class Ours(web.RequestHandler):\n    def close(self):\n        self._close = True",
        "class Ours(web.StreamResponse):\n    _reason = 'Accepted'",
        "class Ours(web.Application):\n    async def _handle(self, request): ...",
        "monkeypatch.setattr(web.RequestHandler, '_process_keepalive', other)",
        "name.endswith('._handle_request')",
        "from aiohttp.web_protocol import _ErrInfo",
    ],
)
def test_what_uses_one_is_found(line: str, kept: set[str]) -> None:
    assert taken({Path("module.py"): ast.parse(f"from aiohttp import web\n{line}\n")}, kept)
