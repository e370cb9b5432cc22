"""Sending: one pass for cron, and the daemon."""

import typer

from reminders import daemon
from reminders.cli.screen import print_json, say, tell
from reminders.cli.session import AsJson, config_of, examples, family, opened
from reminders.engine.dispatch import Report

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
    epilog=examples("reminders run", "reminders --config /etc/reminders/config.toml run")
)
def run(ctx: typer.Context) -> None:
    """Send what falls due, until stopped: the daemon.

    SIGTERM and Ctrl-C finish what is in flight. Tells systemd that it is ready and alive.
    """
    with opened(config_of(ctx), WORKER) as runtime:
        raise typer.Exit(daemon.run(runtime))
