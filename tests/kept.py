"""What a process of tests keeps from one database to the next, as a daemon keeps it for weeks."""

from typing import Any

import sqlalchemy
from sqlalchemy import URL, Dialect, Engine, make_url
from sqlalchemy.pool import Pool, QueuePool

LENT = "lent_"
"""So begin the names of the PostgreSQL databases that are emptied and used again."""

_first: dict[tuple[type[Dialect], object], Engine] = {}
_pools: dict[str, Pool] = {}


class _Kept(QueuePool):
    """Connections that stay open when an engine is closed: the next one has them."""

    def dispose(self) -> None:
        """Keep them."""

    def recreate(self) -> "_Kept":
        """Go on with them."""
        return self


def create_engine(url: str | URL, **settings: Any) -> Engine:
    """Make an engine that knows all statements which earlier ones of its kind have compiled."""
    name = str(make_url(url).database)
    lent = name.startswith(LENT)
    if lent:
        named = settings.get("connect_args", {}) | {"application_name": LENT}
        settings |= {"poolclass": _Kept, "connect_args": named}
    engine = sqlalchemy.create_engine(url, **settings)
    kind = (type(engine.dialect), settings.get("module"))
    first = _first.get(kind)
    if first is None or first.dialect.server_version_info is None:  # it has not connected yet
        _first[kind] = engine
    else:
        engine.dialect, engine._compiled_cache = first.dialect, first._compiled_cache
    if lent:
        engine.pool = _pools.setdefault(name, engine.pool)
    return engine
