"""Small spreadsheets, written by hand: every part of them is under the tests' control."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from xml.sax.saxutils import escape, quoteattr

from reminders.intake.sheet import letters_of

Value = str | float | bool | datetime | date | time | None

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_EPOCH = datetime(1899, 12, 30)
_STYLES = f"""{_HEAD}<styleSheet xmlns="{_MAIN}"><cellXfs count="4"><xf numFmtId="0"/>
<xf numFmtId="22"/><xf numFmtId="14"/><xf numFmtId="20"/></cellXfs></styleSheet>"""


class Formula(str):
    """A formula with the value that it had last."""

    __slots__ = ()


class Fault(str):
    """A cell that shows an error, such as #N/A."""

    __slots__ = ()


def cell_xml(place: str, value: Value) -> str:
    """Return one cell."""
    if value is None:
        return f'<c r="{place}" s="1"/>'
    if isinstance(value, Fault):
        return f'<c r="{place}" t="e"><f>VLOOKUP(1,A1:B2,2)</f><v>{value}</v></c>'
    if isinstance(value, Formula):
        return f'<c r="{place}" t="str"><f>1+1</f><v>{escape(value)}</v></c>'
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, (datetime, date, time)):
        style, number = _serial(value)
        return f'<c r="{place}" s="{style}"><v>{number!r}</v></c>'
    return f'<c r="{place}"><v>{value!r}</v></c>'


def _serial(value: datetime | date | time) -> tuple[int, float]:
    if isinstance(value, datetime):
        return 1, (value - _EPOCH).total_seconds() / 86400
    if isinstance(value, date):
        return 2, float((value - _EPOCH.date()).days)
    return 3, (value.hour * 60 + value.minute) / 1440


def sheet_xml(rows: Sequence[Sequence[Value]], *, merged: str = "", first: int = 1) -> str:
    """Return a sheet; its first row has this number."""
    lines = "".join(
        f'<row r="{number}">'
        + "".join(cell_xml(f"{letters_of(at)}{number}", value) for at, value in enumerate(row))
        + "</row>"
        for number, row in enumerate(rows, start=first)
    )
    merges = f'<mergeCells><mergeCell ref="{merged}"/></mergeCells>' if merged else ""
    return f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetData>{lines}</sheetData>{merges}</worksheet>'


def xlsx(*rows: Sequence[Value], merged: str = "", first: int = 1) -> bytes:
    """Return a spreadsheet of one sheet."""
    return book({"Blad1": sheet_xml(rows, merged=merged, first=first)})


def book(sheets: Mapping[str, str], *, hidden: Sequence[str] = ()) -> bytes:
    """Return a spreadsheet of these sheets' XML."""
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    names, relations, types = "", "", ""
    for number, name in enumerate(sheets, start=1):
        state = ' state="hidden"' if name in hidden else ""
        names += f'<sheet name={quoteattr(name)} sheetId="{number}"{state} r:id="rId{number}"/>'
        relations += (
            f'<Relationship Id="rId{number}" Type="{_RELATIONS}/worksheet"'
            f' Target="worksheets/sheet{number}.xml"/>'
        )
        types += (
            f'<Override PartName="/xl/worksheets/sheet{number}.xml"'
            f' ContentType="{kind}.worksheet+xml"/>'
        )
    parts = {
        "[Content_Types].xml": f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types"><Default'
        f' Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>{types}</Types>',
        "_rels/.rels": f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship'
        f' Id="rId1" Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}">'
        f"<sheets>{names}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
        f'{relations}<Relationship Id="rId99" Type="{_RELATIONS}/styles" Target="styles.xml"/>'
        "</Relationships>",
        "xl/styles.xml": _STYLES,
    }
    for number, xml in enumerate(sheets.values(), start=1):
        parts[f"xl/worksheets/sheet{number}.xml"] = xml
    return zipped(parts)


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    """Return an archive of these parts."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def ods(*rows: Sequence[str | datetime], encrypted: bool = False) -> bytes:
    """Return an OpenDocument spreadsheet of one table."""
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text")
    )
    lines = "".join(
        f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>" for row in rows
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    space = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
    lock = "<manifest:encryption-data></manifest:encryption-data>" if encrypted else ""
    return zipped(
        {
            "mimetype": kind,
            "META-INF/manifest.xml": f'{_HEAD}<manifest:manifest xmlns:manifest="{space}">'
            f'<manifest:file-entry manifest:full-path="content.xml">{lock}</manifest:file-entry>'
            "</manifest:manifest>",
            "content.xml": f"{_HEAD}<office:document-content {spaces}><office:body>"
            f'<office:spreadsheet><table:table table:name="Blad1">{lines}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        }
    )


def _ods_cell(value: str | datetime) -> str:
    if isinstance(value, datetime):
        said = value.isoformat()
        return f'<table:table-cell office:value-type="date" office:date-value="{said}"/>'
    return (
        f'<table:table-cell office:value-type="string"><text:p>{escape(value)}</text:p>'
        "</table:table-cell>"
    )
