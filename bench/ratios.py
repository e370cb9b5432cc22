"""The ratios that a run is made for: medians of the rounds, over one another."""

import statistics


def median(rows, case: str, engine: str, figure: str = "per_second") -> float | None:
    """Return the median of a figure over the rounds."""
    found = [
        row[figure]
        for row in rows
        if row["case"] == case and row.get("engine") == engine and row.get(figure) is not None
    ]
    return statistics.median(found) if found else None


def best(rows, case: str, figure: str = "per_second", pick=max) -> float | None:
    """Return the best median of the peers in a case."""
    names = {row.get("engine") for row in rows if row["case"] == case} - {"reminders"}
    found = [value for name in names if (value := median(rows, case, name, figure)) is not None]
    return pick(found) if found else None


def over(one: float | None, other: float | None) -> float | None:
    """Return a ratio; None where a part of it was left out."""
    return round(one / other, 3) if one is not None and other else None


def ratios(rows) -> dict[str, float | None]:
    """Return the ratios that the run is made for; None where it left one out."""

    def us(case: str, figure: str = "per_second") -> float | None:
        return median(rows, case, "reminders", figure)

    one = us("workers_1")
    return {
        "pg_vs_best_peer": over(us("pg"), best(rows, "pg")),
        "pg_vs_best_peer_1m": over(us("pg_1000000"), best(rows, "pg_1000000")),
        "sqlite_vs_huey": over(us("sqlite"), median(rows, "sqlite", "huey")),
        "pg_no_http_vs_best_peer": over(us("pg_no_http"), best(rows, "pg_no_http")),
        "vs_bare_aiohttp": over(us("pg"), median(rows, "limit", "bare aiohttp")),
        "cpu_vs_best_peer": over(
            us("pg", "cpu_seconds_per_1000"), best(rows, "pg", "cpu_seconds_per_1000", min)
        ),
        "claim_10m_vs_10k": over(
            median(rows, "claim_10m", "reminders", "claim_ms"),
            median(rows, "claim_10k", "reminders", "claim_ms"),
        ),
        "lateness_p99_ms": median(rows, "lateness", "reminders", "p99_ms"),
        "import_sqlite_vs_limit": median(rows, "import_sqlite", "import", "vs_limit"),
        "import_pg_vs_limit": median(rows, "import_postgresql", "import", "vs_limit"),
        "four_workers_vs_sum": over(us("workers_4"), one and one * 4),
        "latency_50ms_vs_ideal": over(us("latency_50ms"), 4000),
        "idle_rss_mib": median(rows, "idle", "reminders", "rss_mib"),
    }
