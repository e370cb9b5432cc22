"""Tables and plots of a run, written into docs/performance.md between two marks."""

import math
from pathlib import Path

from bench.ratios import median

DOCS = Path(__file__).resolve().parent.parent / "docs"
BEGIN, END = "<!-- bench: written by make bench -->", "<!-- /bench -->"
TITLES = {
    "pg": "PostgreSQL, nothing else in the table",
    "pg_1000000": "PostgreSQL, 1 million future reminders",
    "pg_10000000": "PostgreSQL, 10 million future reminders",
    "sqlite": "SQLite",
    "pg_no_http": "PostgreSQL, without HTTP: claim, render, record",
    "limit": "Limits: a client alone, no database",
    "latency_50ms": "PostgreSQL, a provider of 50 ms, 200 in flight",
    "workers_1": "One worker, a provider of 50 ms, 20 in flight",
    "workers_4": "Four workers of that kind",
    "redis": "Queues on Redis",
}


def write(result) -> None:
    """Write the tables into the page, and a plot for each case with several engines."""
    page = DOCS / "performance.md"
    text = page.read_text(encoding="utf-8") if page.exists() else "# Performance\n"
    made = "\n".join([BEGIN, "", *_lines(result), END])
    if BEGIN in text and END in text:
        head, _, rest = text.partition(BEGIN)
        text = head + made + rest.partition(END)[2]
    else:
        text = text.rstrip("\n") + f"\n\n## The benchmark\n\n{made}\n"
    page.write_text(text, encoding="utf-8")


def _lines(result):
    sizes, machine = result["sizes"], result["machine"]
    kind = "`make bench QUICK=1`" if sizes["quick"] else "`make bench`"
    yield f"Made by {kind} on {machine['cores']} cores, Python {machine['python']}, at {result['made_at']}."
    yield f"{sizes['due']} texts a case, {sizes['rounds']} rounds, interleaved; medians."
    load = result["load_before"]
    busy = " (other work may have disturbed it)" if load > machine["cores"] / 2 else ""
    yield f"Load of the machine in the quarter of an hour before: {load:.1f}{busy}."
    yield ""
    yield "| ratio | measured |"
    yield "|---|---|"
    for name, value in result["ratios"].items():
        yield f"| `{name}` | {_told(value)} |"
    yield ""
    rows = result["rows"]
    for case, title in TITLES.items():
        engines = list(dict.fromkeys(r.get("engine") for r in rows if r["case"] == case))
        if engines:
            yield from _table(case, title, engines, rows)
    yield from _lateness(rows)
    yield from _imports(rows)


def _told(value):
    if value is None:
        return "not in this run"
    return "some never left" if value == math.inf else value


def _lateness(rows):
    found = [row for row in rows if row["case"] == "lateness" and "rate" in row]
    if not found:
        return
    yield "### Lateness, as texts fall due one after another"
    yield ""
    yield "| texts a second | future rows | of 100, 99 were accepted within | the last | never left |"
    yield "|---|---|---|---|---|"
    for row in found:
        yield (
            f"| {row['rate']:.0f} | {row['future']} | {_ms(row['p99_ms'])} | {_ms(row['most_ms'])} "
            f"| {row['never_left']} of {row['due']} |"
        )
    yield ""


def _ms(value):
    return "not known" if value is None else "never" if value == math.inf else f"{value} ms"


def _table(case, title, engines, rows):
    yield f"### {title}"
    yield ""
    yield "| engine | texts a second (median) | CPU-seconds per 1,000 | peak memory, MiB | runs |"
    yield "|---|---|---|---|---|"
    bars = {}
    for engine in engines:
        rate = median(rows, case, engine)
        cpu = median(rows, case, engine, "cpu_seconds_per_1000")
        peak = median(rows, case, engine, "peak_mib")
        runs = [r for r in rows if r["case"] == case and r.get("engine") == engine]
        if rate is None:
            yield f"| {engine} | did not run: {runs[-1].get('failed')} | | | {len(runs)} |"
            continue
        bars[engine] = rate
        failed = sum("failed" in run for run in runs)
        count = f"{len(runs) - failed} ({failed} failed)" if failed else len(runs)
        yield f"| {engine} | {rate:.0f} | {_or(cpu)} | {_or(peak)} | {count} |"
    yield ""
    if len(bars) > 1:
        (DOCS / "plots").mkdir(exist_ok=True)
        (DOCS / "plots" / f"{case}.svg").write_text(_plot(title, bars), encoding="utf-8")
        yield f"![{title}](plots/{case}.svg)"
        yield ""


def _or(value):
    return "" if value is None else value


def _imports(rows):
    found = [row for row in rows if row["case"].startswith("import_") and "seconds" in row]
    if not found:
        return
    yield "### Importing a file"
    yield ""
    yield (
        "| database | rows | read and stage | apply | plan | rows a second | share of the limit "
        "| longest transaction of applying, planning | forecast | peak memory, MiB |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for row in found:
        yield (
            f"| {row['database']} | {row['rows']} | {row['stage']} s | {row['apply']} s "
            f"| {row['plan']} s | {row['rows_per_second']} | {row.get('vs_limit', '')} "
            f"| {row['longest_lock_apply']} s, {row['longest_lock_plan']} s "
            f"| {row['forecast']} s | {row['peak_mib']} |"
        )
    yield ""


def _plot(title, bars):
    """Return a bar chart as SVG."""
    most, height = max(bars.values()), 40 + 28 * len(bars)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="640" height="{height}" font-family="sans-serif" font-size="13">',
        f'<rect width="640" height="{height}" fill="white"/>',
        f'<text x="10" y="22" font-weight="bold">{title}: texts a second</text>',
    ]
    for n, (name, value) in enumerate(sorted(bars.items(), key=lambda bar: -bar[1])):
        y, width = 38 + 28 * n, max(1, 390 * value / most)
        color = "#1f6f5c" if name == "reminders" else "#9aa5b1"
        parts += [
            f'<text x="135" y="{y + 14}" text-anchor="end">{name}</text>',
            f'<rect x="142" y="{y}" width="{width:.1f}" height="19" fill="{color}"/>',
            f'<text x="{148 + width:.1f}" y="{y + 14}">{value:,.0f}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])
