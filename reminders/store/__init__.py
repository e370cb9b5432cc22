"""All SQL: functions that take a Connection and never commit."""
