"""Sending and serving: one pass for cron, the daemon, the pages."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Annotated

import typer

from reminders import daemon
from reminders.cli.screen import print_json, say, tell
from reminders.cli.session import AsJson, config_of, examples, family, opened
from reminders.config import Config
from reminders.engine.aside import End
from reminders.engine.dispatch import Report
from reminders.engine.runtime import Runtime
from reminders.engine.watch import ACTOR, Watcher

WORKER = "system"
CHANNEL_DOWN = 1
NEEDS_A_PERSON = 1

commands = family()


@commands.command(epilog=examples("reminders tick", "* * * * *  reminders tick   (in a crontab)"))
def tick(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Do one pass: plan, send what is due, ask what became of what was sent.

    For cron, each minute. Ends with 1 if a channel is down. Does nothing while another process
    sends from the same SQLite database.
    """
    with opened(config_of(ctx), WORKER) as runtime:
        report = None
        try:
            report = daemon.tick(runtime)
        except daemon.AlreadyRunningError as error:
            tell(str(error))
    counts = (report or Report()).counts()
    if as_json:
        print_json(counts)
    elif report is not None:
        said = [f"{count} {name}" for name, count in counts.items() if count]
        say(", ".join(said) or "Nothing was due.")
    if report is not None and report.down:
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
    from reminders.web import app, hooks, server  # noqa: PLC0415 - an extra, and slow to load

    listeners = _listen(config)

    async def serve(runtime: Runtime, wake: Callable[[], None], stop: asyncio.Event) -> None:
        ours = replace(runtime, executor=None)
        apps = (app.create_app(ours, wake), hooks.hooks_app(ours, wake))
        await server.serve_all(list(zip(apps, listeners, strict=False)), stop)

    return serve


def _listen(config: Config) -> list[socket.socket]:
    """Return where the pages listen, and where providers call if that is a port of its own."""
    from reminders.web import server  # noqa: PLC0415 - an extra, and slow to load

    listeners = [server.listen(config.web.host, config.web.port)]
    tell(f"The pages are at {server.address(listeners[0])}")
    if config.web.hooks_port is not None:
        listeners.append(server.listen(config.web.host, config.web.hooks_port))
        tell(f"Providers call at {server.address(listeners[1])}")
    return listeners


@commands.command(epilog=examples("reminders web"))
def web(ctx: typer.Context) -> None:
    """Serve the desk's pages alone, until stopped; another process sends."""
    from reminders.web import app, hooks, server  # noqa: PLC0415 - an extra, and slow to load

    config = config_of(ctx)
    with opened(config, WORKER) as runtime:
        listeners = _listen(config)
        apps = (app.create_app(runtime), hooks.hooks_app(runtime))
        asyncio.run(server.serve_alone(list(zip(apps, listeners, strict=False))))


@commands.command(epilog=examples("reminders watch", "*/5 * * * *  reminders watch"))
def watch(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Look into the watched folders once, for cron; the daemon does it by itself.

    Waits as long as a file has to be unchanged before it is read. Ends with 1 if a file was refused
    or waits for a person: its report lies beside it; and if a folder cannot be reached.
    """
    with opened(config_of(ctx), ACTOR) as runtime:
        watcher = Watcher(runtime)
        watcher.look(runtime.clock.now())
        until = runtime.clock.now() + timedelta(seconds=watcher.settle)
        asyncio.run(runtime.clock.wait(asyncio.Event(), until))
        ends = watcher.look(runtime.clock.now())
    if as_json:
        print_json({end.value: count for end, count in ends.items()})
    else:
        said = [f"{count} {end.value}" for end, count in ends.items() if count]
        say(", ".join(said) or "There was nothing to read.")
    if watcher.away:
        tell(f"Away: the watched folder of {', '.join(sorted(watcher.away))}. See 'doctor'.")
    if ends[End.WAITING] or ends[End.REFUSED] or watcher.away:
        raise typer.Exit(NEEDS_A_PERSON)
