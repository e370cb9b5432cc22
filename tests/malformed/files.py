"""Malformed files without end: sound ones with bytes, cells, lines and dialects gone wrong."""

import random
from pathlib import Path

from tests.intake.test_any_bytes import ENCODINGS, NASTY

ROOT = Path(__file__).parents[2]
SOUND = """boknings-id;starttid;besökstyp;mobil;e-post;roll;födelsedatum;status
A1;2026-12-02 10:00;Videobesök;070-174 06 05;anhorig@example.org;vårdnadshavare;2016-05-01;bokad
A2;2026-12-02 11:00;Videobesök;070-174 06 06;;patient;2008-05-01;bokad
A3;2026-12-03 09:15;Telefon;070-174 06 07;;patient;;avbokad
"""
WHOLE = 4
"""The lines of the sound file that an import is compared on."""


def corpus() -> list[bytes]:
    """Return sound files: ours, and the examples that ship, cut short."""
    examples = [path.read_bytes()[:1500] for path in sorted((ROOT / "examples").glob("*.csv"))]
    return [SOUND.encode(), SOUND.replace(";", ",").encode("utf-8-sig"), *examples]


class Maker:
    """Makes one malformed file after another; the same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._corpus = corpus()

    def make(self) -> bytes:
        """Return the next file."""
        ways = (self._bytes, self._cells, self._lines, self._spliced, self._noise)
        data = self._chance.choice(ways)()
        return self._bent(data) if self._chance.random() < 0.3 else data

    def _bent(self, data: bytes) -> bytes:
        encoding = self._chance.choice(ENCODINGS)
        return data.decode("utf-8", "replace").encode(encoding, "ignore")

    def _sound(self) -> bytes:
        return self._chance.choice(self._corpus)

    def _noise(self) -> bytes:
        head = self._sound().split(b"\n")[0] + b"\n"
        noise = self._chance.randbytes(self._chance.randrange(120))
        return head + noise if self._chance.random() < 0.7 else noise

    def _bytes(self) -> bytes:
        content = bytearray(self._sound())
        for _ in range(self._chance.randint(1, 8)):
            place = self._chance.randrange(len(content) + 1)
            taken = self._chance.randrange(4)
            content[place : place + taken] = self._chance.randbytes(self._chance.randrange(4))
        return bytes(content)

    def _cells(self) -> bytes:
        lines = [line.split(";") for line in SOUND.splitlines()]
        for _ in range(self._chance.randint(1, 6)):
            line = self._chance.choice(lines)
            line[self._chance.randrange(len(line))] = self._chance.choice(NASTY)
            if self._chance.random() < 0.2:
                line.append(self._chance.choice(NASTY))
        return "\n".join(map(";".join, lines)).encode("utf-8", "replace")

    def _lines(self) -> bytes:
        lines = self._sound().split(b"\n")
        for _ in range(self._chance.randint(1, 4)):
            place = self._chance.randrange(len(lines) or 1)
            match self._chance.randrange(4):
                case 0:
                    lines.insert(place, self._chance.choice(lines))
                case 1 if len(lines) > 1:
                    del lines[place]
                case 2:
                    lines[place] = lines[place][: self._chance.randrange(len(lines[place]) + 1)]
                case _:
                    lines[place] += b'"'
        return b"\n".join(lines)

    def _spliced(self) -> bytes:
        one, other = self._sound(), self._sound()
        cut, at = self._chance.randrange(len(one)), self._chance.randrange(len(other))
        return one[:cut] + other[at:]
