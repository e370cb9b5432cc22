"""Draws the pictures of the steps that go with emails: `make pictures`.

No word stands in them, so that they serve every language; the ones that read in one direction have
a mirrored twin. They are drawn four times as large and made smaller, which smooths the edges.
"""

from pathlib import Path

from PIL import Image, ImageDraw

FOLDER = Path(__file__).parents[2] / "templates" / "pictures"
SCALE = 4
FILES = 2  # twice as wide as they are shown, for sharp screens

PAPER, LINE, SOFT, LIGHT = "#eef4f9", "#12466b", "#b5cbdc", "#ffffff"
ACCENT, ON_ACCENT = "#0b6b4f", "#ffffff"


class Sheet:
    """A drawing, in the pixels of the page."""

    def __init__(self, width: int, height: int) -> None:
        self.size = (width, height)
        self.image = Image.new("RGBA", (width * SCALE, height * SCALE), (0, 0, 0, 0))
        self.draw = ImageDraw.Draw(self.image)
        self.box(0, 0, width, height, PAPER, radius=14)

    def box(self, x, y, width, height, fill, *, line=None, radius=4, thick=2.5) -> None:
        """Draw a box with round corners."""
        edges = [x * SCALE, y * SCALE, (x + width) * SCALE - 1, (y + height) * SCALE - 1]
        stroke = round(thick * SCALE) if line else 0
        self.draw.rounded_rectangle(edges, radius * SCALE, fill, line, stroke)

    def disc(self, x, y, radius, fill, *, line=None, thick=2.5) -> None:
        """Draw a disc around a point."""
        edges = [
            (x - radius) * SCALE,
            (y - radius) * SCALE,
            (x + radius) * SCALE,
            (y + radius) * SCALE,
        ]
        self.draw.ellipse(edges, fill, line, round(thick * SCALE) if line else 0)

    def shape(self, points, fill) -> None:
        """Draw a filled shape."""
        self.draw.polygon([(x * SCALE, y * SCALE) for x, y in points], fill)

    def arc(self, x, y, radius, start, end, fill, thick) -> None:
        """Draw a part of a ring."""
        edges = [
            (x - radius) * SCALE,
            (y - radius) * SCALE,
            (x + radius) * SCALE,
            (y + radius) * SCALE,
        ]
        self.draw.arc(edges, start, end, fill, round(thick * SCALE))

    def phone(self, x, y) -> None:
        """Draw an empty phone, 80 wide and 132 high."""
        self.box(x, y, 80, 132, LIGHT, line=LINE, radius=11, thick=3)
        self.box(x + 31, y + 121, 18, 3, SOFT, radius=1.5)

    def dots(self, x, y, count) -> None:
        """Draw which step it is: one, two or three dots."""
        for number in range(count):
            self.disc(x + 9 * (number - (count - 1) / 2), y, 3, LINE)

    def arrow(self, x, y) -> None:
        """Draw an arrow to the next step, 34 long."""
        self.box(x, y - 2.5, 24, 5, LINE, radius=2.5)
        self.shape([(x + 21, y - 9), (x + 35, y), (x + 21, y + 9)], LINE)

    def save(self, name: str, *, mirrored: bool = False) -> None:
        """Write the picture, with few colours: small enough for an email."""
        width, height = self.size
        drawn = self.image.resize((width * FILES, height * FILES), Image.Resampling.LANCZOS)
        if mirrored:
            drawn = drawn.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        few = drawn.quantize(48, Image.Quantize.FASTOCTREE)
        FOLDER.mkdir(exist_ok=True)
        few.save(FOLDER / f"{name}.png", optimize=True)


def steps(*, mirrored: bool) -> Sheet:
    """Draw three phones: log in, open the case, start the video."""
    sheet = Sheet(560, 190)
    for number, x in enumerate((60, 240, 420)):
        sheet.phone(x, 18)
        sheet.dots(x + 40, 168, number + 1)
    sheet.arrow(172, 84)
    sheet.arrow(352, 84)
    # A padlock.
    sheet.arc(100, 73, 13, 180, 360, ACCENT, 5)
    sheet.box(87, 71, 5, 10, ACCENT, radius=0)
    sheet.box(108, 71, 5, 10, ACCENT, radius=0)
    sheet.box(80, 79, 40, 32, ACCENT, radius=5)
    sheet.disc(100, 92, 4.5, ON_ACCENT)
    sheet.box(98, 93, 4, 10, ON_ACCENT, radius=1.5)
    # A list with one line chosen.
    for line, y in enumerate((38, 60, 82, 104)):
        chosen = line == 1
        sheet.box(252, y, 56, 16, ACCENT if chosen else SOFT, radius=4)
        if chosen:
            sheet.box(258, y + 6, 26, 4, ON_ACCENT, radius=2)
            sheet.shape([(294, y + 3), (302, y + 8), (294, y + 13)], ON_ACCENT)
    # A camera on a button. In the mirrored picture it is mirrored back.
    sheet.disc(460, 80, 27, ACCENT)
    if mirrored:
        sheet.box(456, 71, 20, 18, ON_ACCENT, radius=4)
        sheet.shape([(454, 80), (443, 72), (443, 88)], ON_ACCENT)
    else:
        sheet.box(444, 71, 20, 18, ON_ACCENT, radius=4)
        sheet.shape([(466, 80), (477, 72), (477, 88)], ON_ACCENT)
    return sheet


def refresh() -> Sheet:
    """Draw a phone with an arrow from the top of the screen downwards."""
    sheet = Sheet(120, 150)
    sheet.phone(20, 9)
    sheet.box(30, 22, 60, 8, SOFT, radius=3)
    sheet.disc(60, 44, 7, ACCENT)
    sheet.box(57, 44, 6, 42, ACCENT, radius=2)
    sheet.shape([(44, 80), (76, 80), (60, 104)], ACCENT)
    return sheet


def main() -> None:
    """Write every picture."""
    steps(mirrored=False).save("steps")
    steps(mirrored=True).save("steps-rtl", mirrored=True)
    refresh().save("refresh")


if __name__ == "__main__":
    main()
