"""Draws docs/picture.svg: a few texts of the example clinic, on the pretended phone.

Run it with `make picture`. The drawing loads nothing from outside.
"""

import io
import re
import tempfile
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from reminders.cli.demo import START
from reminders.config import example
from reminders.engine import importing
from reminders.simulation.world import World, phones

HEAD = "boknings-id;starttid;mobil;roll;födelsedatum\n"
ROWS = "VB-1042;2026-12-01 15:00;070-174 06 05;vårdnadshavare;2016-05-01\n"


def draw(picture: Path) -> None:
    """Let one family's texts appear, and keep the screen."""
    console = Console(record=True, width=64, file=io.StringIO(), force_terminal=True)
    config = example()
    clinic, settings = next(iter(config.clinics.items()))
    start = START.replace(tzinfo=settings.zone)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bokningar.csv"
        file.write_text(HEAD + ROWS, encoding="utf-8")
        world = World(config, Path(folder), start, phones(console))
        options = importing.Options(exported_at=start, confirmations=True)
        staged = importing.stage(world.runtime, clinic, file, options, start)
        importing.apply(world.runtime, staged, options, start)
        console.print("$ reminders run", style="bold")
        world.run(world.go_on(start + timedelta(days=2)))
        world.run(world.end())
    svg = console.export_svg(title="reminders")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    picture.write_text(svg.replace("Fira Code", "Menlo, Consolas"), encoding="utf-8")


if __name__ == "__main__":
    draw(Path(__file__).parents[2] / "docs" / "picture.svg")
