"""The JSON API for programs: an application of its own, which `attach` puts below its path."""

from reminders.web.api.app import BASE, attach, create_api

__all__ = ["BASE", "attach", "create_api"]
