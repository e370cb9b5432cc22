"""Kill the real daemon at random moments, and count what its provider got.

python -m tests.kill --kills 1000 --database sqlite postgresql --json
"""

import argparse
import json
import sys

from reminders import daemon
from tests.kill.campaign import Verdict, campaign
from tests.kill.workers import send_first


def main() -> int:
    """Run the campaigns; return 1 if a text was lost, sent twice, or a database is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="of each database")
    parser.add_argument("--pauses", type=int, default=0, help="with several workers, PostgreSQL")
    parser.add_argument("--restarts", type=int, default=0, help="of PostgreSQL, under load")
    parser.add_argument("--database", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--naive", action="store_true", help="the control: must fail")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    verdicts = list(_campaigns(options))
    total = {
        "kills": sum(v.kills for v in verdicts),
        "pauses": sum(v.pauses for v in verdicts),
        "restarts": sum(v.restarts for v in verdicts),
        "texts": sum(v.texts for v in verdicts),
        "lost": sum(v.lost for v in verdicts),
        "twice": sum(v.twice for v in verdicts),
        "integrity": all(v.integrity == "ok" for v in verdicts),
        "campaigns": [v.as_dict() for v in verdicts],
    }
    if options.json:
        print(json.dumps(total))
    return 0 if all(v.good for v in verdicts) else 1


def _campaigns(options: argparse.Namespace):
    work = send_first if options.naive else daemon.run
    common = {"work": work, "seed": options.seed, "tell": _say}
    for kind in options.database:
        if kind == "sqlite":
            yield _told(campaign(kind, kills=options.kills, **common))
            continue
        # Half of the kills with one dispatcher, half with two.
        one = options.kills // 2
        yield _told(campaign(kind, kills=one, **common))
        yield _told(
            campaign(
                kind, workers=2, kills=options.kills - one, restarts=options.restarts, **common
            )
        )
        if options.pauses:
            yield _told(campaign(kind, workers=4, pauses=options.pauses, **common))


def _told(verdict: Verdict) -> Verdict:
    _say(f"{verdict}")
    return verdict


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
