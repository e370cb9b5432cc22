"""The JSON API for programs: `create_api` makes an application of its own, to be mounted."""

from reminders.web.api.app import BASE, create_api

__all__ = ["BASE", "create_api"]
