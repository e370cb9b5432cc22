"""Sending and serving: one pass for cron, the daemon, the pages."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import typer

from reminders import daemon
from reminders.cli.screen import print_json, say, tell
from reminders.cli.session import AsJson, config_of, examples, family, opened
from reminders.config import Config
from reminders.engine.dispatch import Report
from reminders.engine.runtime import Runtime

WORKER = "system"
CHANNEL_DOWN = 1

commands = family()


@commands.command(epilog=examples("reminders tick", "* * * * *  reminders tick   (in a crontab)"))
def tick(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Do one pass: plan, send what is due, ask what became of what was sent.

    For cron, each minute. Ends with 1 if a channel is down. Does nothing while another process
    sends from the same SQLite database.
    """
    with opened(config_of(ctx), WORKER) as runtime:
        try:
            report = daemon.tick(runtime)
        except daemon.AlreadyRunningError as error:
            tell(str(error))
            report = Report()
    if as_json:
        print_json(report.counts())
    else:
        said = [f"{count} {name}" for name, count in report.counts().items() if count]
        say(", ".join(said) or "Nothing was due.")
    if report.down:
        channels = ", ".join(report.down)
        tell(f"Down: {channels}. Messages wait. 'reminders doctor' tells what is wrong.")
        raise typer.Exit(CHANNEL_DOWN)


@commands.command(
    epilog=examples(
        "reminders run",
        "reminders run --web     the pages too",
        "reminders --config /etc/reminders/config.toml run",
    )
)
def run(
    ctx: typer.Context,
    web: Annotated[bool, typer.Option("--web", help="Serve the desk's pages too.")] = False,
) -> None:
    """Send what falls due, until stopped: the daemon.

    SIGTERM and Ctrl-C finish what is in flight. Tells systemd that it is ready and alive.
    """
    config = config_of(ctx)
    with opened(config, WORKER) as runtime:
        raise typer.Exit(daemon.run(runtime, _pages(config) if web else None))


def _pages(config: Config) -> daemon.Companion:
    """Return what serves the pages in the daemon's loop. Its address is taken now, or refused."""
    from reminders.web import app, server  # noqa: PLC0415 - an extra, and slow to load

    listener = server.listen(config.web.host, config.web.port)
    tell(f"The pages are at {server.address(listener)}")

    async def serve(runtime: Runtime, wake: Callable[[], None], stop: asyncio.Event) -> None:
        pages = app.create_app(replace(runtime, executor=None), wake)
        await server.serve(pages, listener, stop)

    return serve


@commands.command(epilog=examples("reminders web"))
def web(ctx: typer.Context) -> None:
    """Serve the desk's pages alone, until stopped; another process sends."""
    from reminders.web import app, server  # noqa: PLC0415 - an extra, and slow to load

    config = config_of(ctx)
    with opened(config, WORKER) as runtime:
        listener = server.listen(config.web.host, config.web.port)
        tell(f"The pages are at {server.address(listener)}")
        asyncio.run(server.serve_alone(app.create_app(runtime), listener))
