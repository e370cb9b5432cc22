"""Finds the sentences that the pages say, in the templates and in the code."""

import ast
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, nodes

PACKAGE = Path(__file__).parents[2] / "reminders"
WEB = Path(__file__).parents[2] / "reminders" / "web"
ERRORS = frozenset(
    {"UsageError", "NotFoundError", "RefusedFileError", "OlderFileError", "ConflictError"}
)
AT_THE_TERMINAL = frozenset({"accounts.py", "runtime.py", "api"})
"""Modules whose errors no page shows: users are added and clinics named elsewhere."""

MARKS = frozenset({"N_", "text"})


def sentences() -> dict[tuple[str, ...], str]:
    """Return each sentence (or pair, of one and of many) with a place where it is said."""
    found: dict[tuple[str, ...], str] = {}
    for page in sorted((WEB / "pages").glob("*.html")):
        for said in _in_page(page.read_text("utf-8")):
            found.setdefault(said, page.name)
    for module in sorted(WEB.rglob("*.py")):
        for said in _in_code(module.read_text("utf-8")):
            found.setdefault(said, module.name)
    return found


def errors() -> Iterator[tuple[str, str]]:
    """Yield each sentence of an error that a page may show, with a place where it is raised.

    One that is put together where it is raised can be said in no other language: it fails here.
    """
    for folder in ("engine", "web", "simulation"):
        for module in sorted((PACKAGE / folder).rglob("*.py")):
            if not AT_THE_TERMINAL & {module.name, module.parent.name}:
                yield from _raised(module)


def _raised(module: Path) -> Iterator[tuple[str, str]]:
    tree = ast.parse(module.read_text("utf-8"))
    named = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args):
        name = getattr(call.func, "id", getattr(call.func, "attr", ""))
        if name not in ERRORS and name != "__init__":
            continue
        first = call.args[0]
        given = named.get(first.id, first) if isinstance(first, ast.Name) else first
        place = f"{module.name}:{call.lineno}"
        assert not isinstance(given, ast.JoinedStr), f"{place}: name the values instead"
        if isinstance(given, ast.Constant) and isinstance(given.value, str):
            yield given.value, place


def _in_page(text: str) -> Iterator[tuple[str, ...]]:
    for call in Environment().parse(text).find_all(nodes.Call):
        name = getattr(call.node, "name", "")
        if name in {"_", "n_"}:
            said = [arg.value for arg in call.args if isinstance(arg, nodes.Const)]
            if said:
                yield tuple(said[: 2 if name == "n_" else 1])


def _in_code(text: str) -> Iterator[tuple[str, ...]]:
    for call in ast.walk(ast.parse(text)):
        if not isinstance(call, ast.Call) or not call.args:
            continue
        name = getattr(call.func, "id", getattr(call.func, "attr", ""))
        first = call.args[0]
        if name not in {*MARKS, "say"} or not isinstance(first, ast.Constant):
            continue
        if isinstance(first.value, str):
            yield (first.value,)
