"""What PostgreSQL knows of its tables: told anew where a file changes them faster than it looks.

It plans by what it saw last, which may have been an empty table: each row is then looked for among
all others. SQLite plans by its indexes alone.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, Table, text

from reminders.store.schema import appointment, contact, message, patient
from reminders.store.schema_intake import staged_contact, staged_doubt, staged_visit

STAGED = (staged_contact, staged_doubt, staged_visit)
APPLIED = (patient, contact, appointment, message)


def renew(conn: Connection, tables: Sequence[Table]) -> None:
    """Have the server look at these tables."""
    if conn.dialect.name == "postgresql":
        conn.execute(text(f"ANALYZE {', '.join(table.name for table in tables)}"))
