"""Finds the sentences that the pages say, in the templates and in the code."""

import ast
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, nodes

WEB = Path(__file__).parents[2] / "reminders" / "web"
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
