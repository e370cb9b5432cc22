"""Looking into templates: the names they use, the branches they take, the statements they make.

A note at the end of a line, `{# S5 S6 #}`, says which statement of the handout the line tells. Here
notes and branches are filled in along with the text, so that each counts only where its line does.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import jinja2
from jinja2 import nodes

from reminders.domain.template import Source
from reminders.message.context import Context, variables
from reminders.message.syntax import environment, parse

STATEMENTS: Mapping[str, str] = {
    "S1": "the visit is in the app",
    "S2": "the app is free, for phone or tablet",
    "S3": "which e-IDs to log in with",
    "S4": "which e-IDs do not work",
    "S5": "the heading where the visit is",
    "S6": "what to press then",
    "S7": "the meeting starts when the clinician has joined",
    "S8": "try to log in well before",
    "S9": "from which age one's own login is needed",
    "S10": "contact the clinic without an e-ID",
    "S11": "sit in a private room",
    "S12": "check the internet where you will sit",
    "S13": "charge the phone or tablet",
    "S14": "refresh the page if the visit is not there",
    "S15": "check the internet connection",
    "S16": "try another device",
    "S17": "camera, microphone and sound are on",
    "S18": "the app may use the camera",
    "S19": "log out and in again",
    "S20": "a headset can help",
    "S21": "where common questions are answered",
    "S22": "where support is",
    "S23": "the clinic's number",
}
"""What the handout says, in short."""

ONLY_EMAIL = frozenset({"S21", "S22"})
"""Statements that are a link, which no text message has."""

_NOTE = re.compile(r"\{# ([A-Za-z0-9 ]+) #\}[ \t]*$", re.MULTILINE)
_SAID = re.compile("\x01([^\x02]*)\x02")
_TAKEN = re.compile("\x03([0-9]+)\x04")


@dataclass(frozen=True, slots=True)
class Marks:
    """What one filled-in text said, by the notes of its lines, and which branches it took."""

    said: frozenset[str]
    taken: frozenset[int]


@functools.lru_cache(maxsize=1024)
def marked(source: Source) -> "Marked":
    """Return a template ready to be looked into. Raise jinja2.TemplateSyntaxError."""
    return Marked(source)


class Marked:
    """A template whose notes and branches can be seen when it is filled in."""

    def __init__(self, source: Source) -> None:
        """Compile it. Raise jinja2.TemplateSyntaxError."""
        text = _NOTE.sub("\x01\\1\x02", source.text)
        tools = environment(str)
        tree = tools.parse(text)
        self.branches = dict(_mark_branches(tree))
        code = tools.compile(tree)
        self._template = jinja2.Template.from_code(tools, code, {})

    def look(self, context: Context) -> Marks:
        """Fill it in for one reader."""
        text = self._template.render(context.names())
        said = " ".join(_SAID.findall(text)).split()
        return Marks(
            frozenset(s for s in said if s in STATEMENTS),
            frozenset(map(int, _TAKEN.findall(text))),
        )


def _mark_branches(tree: nodes.Template) -> Iterator[tuple[int, int]]:
    """Put a mark into each branch; yield each mark's number with the line of its branch."""
    number = 0
    for node in list(tree.find_all(nodes.If)):
        for body in (node.body, node.else_):
            if body:
                yield number, body[0].lineno
                body.insert(0, nodes.Output([nodes.TemplateData(f"\x03{number}\x04")]))
                number += 1


@functools.lru_cache(maxsize=1024)
def _used(source: Source) -> tuple[tuple[str, str], ...]:
    tree, known = parse(source.text), variables()
    parts = [p for p in tree.find_all(nodes.Getattr) if isinstance(p.node, nodes.Name)]
    of_parts = {id(part.node) for part in parts}
    dotted = {(part.node.name, part.attr) for part in parts if isinstance(part.node, nodes.Name)}
    whole = {(n.name, "") for n in tree.find_all(nodes.Name) if id(n) not in of_parts}
    return tuple(sorted((name, attr) for name, attr in dotted | whole if name in known))


def used_values(source: Source, context: Context) -> tuple[object, ...]:
    """Return the values of all that a template uses: where they are the same, so is its text."""
    return tuple(
        getattr(getattr(context, name), attr, None) if attr else getattr(context, name)
        for name, attr in _used(source)
    )


@functools.lru_cache(maxsize=1024)
def unknown_names(source: Source) -> tuple[tuple[int, str], ...]:
    """Return line and name of everything a template uses that there is not, in any branch."""
    return tuple(_unknown_names(source))


def _unknown_names(source: Source) -> Iterator[tuple[int, str]]:
    tree = parse(source.text)
    known = variables()
    own = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "store"}
    for name in tree.find_all(nodes.Name):
        if name.ctx == "load" and name.name not in known and name.name not in own:
            yield name.lineno, name.name
    for part in tree.find_all(nodes.Getattr):
        of = part.node.name if isinstance(part.node, nodes.Name) else ""
        if of in known and part.attr not in known[of]:
            yield part.lineno, f"{of}.{part.attr}"
