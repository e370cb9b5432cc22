"""The texts: checking them, seeing them, approving them."""

import typer

from reminders.cli.session import family

commands = family()


@commands.command()
def approve(ctx: typer.Context) -> None:
    """Approve."""
