"""The command line. ``--help`` imports nothing heavy; a command that cannot be loaded breaks no other."""

from __future__ import annotations

import importlib
import sys
import traceback
from typing import Any, NoReturn

import click

from aitrader._version import __version__

# name: (module, one line of help); the module holds a click command of the same name.
COMMANDS = {
    "up": ("aitrader.cli.up", "Start everything in one process: API, workers, embedded database."),
    "serve": ("aitrader.cli.serve", "Start the API only."),
    "worker": ("aitrader.cli.worker", "Start a worker only."),
    "demo": ("aitrader.cli.demo", "Run real backtests on the shipped prices and draw the result."),
    "jobs": ("aitrader.cli.jobs", "Submit, list, watch, cancel and retry jobs."),
    "accounts": ("aitrader.cli.accounts", "Make accounts with brokers, log in, set risk limits and approval."),
    "orders": ("aitrader.cli.orders", "Place, list, watch, change, cancel and approve orders."),
    "positions": ("aitrader.cli.positions", "Show what is held, at the last known prices."),
    "pnl": ("aitrader.cli.pnl", "Show what accounts are worth and what they gained or lost."),
    "engine": ("aitrader.cli.engine", "Serve an engine, such as a broker to practise with."),
    "signals": ("aitrader.cli.signals", "List signals, and send one by hand."),
    "sentiment": (
        "aitrader.cli.sentiment",
        "Score texts, train the built-in engine, show what scored news add up to.",
    ),
    "strategies": ("aitrader.cli.strategies", "Make strategies, change them, turn them on and off."),
    "decisions": ("aitrader.cli.decisions", "List what strategies decided, and why."),
    "model": ("aitrader.cli.model", "Train models, judge them, choose the one that suggests."),
    "suggestions": ("aitrader.cli.suggestions", "Ask the active model about symbols."),
    "news": ("aitrader.cli.news", "Import, list and show news, and what it adds up to."),
    "replay": ("aitrader.cli.replay", "Run the whole pipeline over the past, and compare runs."),
    "feed": ("aitrader.cli.feed", "Run a market feed for programs on other machines."),
    "quote": ("aitrader.cli.quote", "Show the last price of a symbol, or push one."),
    "kill": ("aitrader.cli.kill", "Stop trading now, everywhere or in one account."),
    "release": ("aitrader.cli.kill", "Let trading go on after a kill."),
    "arm": ("aitrader.cli.arming", "Allow live trading in an account for some hours."),
    "disarm": ("aitrader.cli.arming", "End the permission to trade live."),
    "user": ("aitrader.cli.user", "Create, list, disable and enable users; set passwords."),
    "token": ("aitrader.cli.token", "Create, list, revoke and rotate API tokens."),
    "audit": ("aitrader.cli.audit", "Show the audit log and check that nobody changed it."),
    "data": ("aitrader.cli.data", "Import, list, show and export market data."),
    "db": ("aitrader.cli.db", "Migrate the database."),
    "plugins": ("aitrader.cli.plugins", "List and check plugins."),
    "doctor": ("aitrader.cli.doctor", "Check the installation and say what to do."),
}

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NOT_FOUND = 3
EXIT_REFUSED = 4
EXIT_UNAVAILABLE = 5
EXIT_CONFLICT = 6
EXIT_INTERRUPTED = 130


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import one command; a stand-in that says why when it cannot be loaded."""
        if name not in COMMANDS:
            return None
        module, _help = COMMANDS[name]
        try:
            command: click.Command = getattr(importlib.import_module(module), name)
        except Exception as error:
            return _broken(name, error)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command table without importing the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_module, text) in COMMANDS.items()])


def _broken(name: str, error: Exception) -> click.Command:
    def fail(**_ignored: Any) -> NoReturn:
        raise click.ClickException(f"{name} could not be loaded: {type(error).__name__}: {error}")

    return click.Command(
        name,
        callback=fail,
        help=f"[failed to load: {error}]",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 ok, 1 failed or unhealthy, 2 usage, 3 not found, 4 refused, 5 dependency unreachable, "
    "6 conflict, 130 interrupted.  Example: aitrader up",
)
@click.version_option(__version__, prog_name="aitrader")
@click.option("-v", "--verbose", is_flag=True, help="Show tracebacks and debug logs.")
@click.pass_context
def root(ctx: click.Context, verbose: bool) -> None:
    """AITrader: a self-hosted backend for AI-assisted trading."""
    ctx.obj = {"verbose": verbose}


def main() -> NoReturn:
    """Run the command line; every domain error becomes one line and an exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    from domain.common.errors import AITraderError

    try:
        result = root.main(args=arguments, prog_name="aitrader", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return EXIT_FAILED
    except Exception as error:
        if "-v" in arguments or "--verbose" in arguments:
            traceback.print_exception(error)
        return _tell(error) if isinstance(error, AITraderError) else _tell_unexpected(error)


def _tell_unexpected(error: Exception) -> int:
    lines = str(error).strip().splitlines() or [""]
    click.echo(f"error: {type(error).__name__}: {lines[0]} (aitrader -v … shows the traceback)", err=True)
    return EXIT_FAILED


def _tell(error: Any) -> int:
    from domain.common.errors import Conflict, Denied, Invalid, Malformed, NotFound, TooLarge, Unavailable

    click.echo(f"error: {error.detail}", err=True)
    for item in error.errors:
        click.echo(f"  {item.field}: {item.message}", err=True)
    codes = (
        (NotFound, EXIT_NOT_FOUND),
        (Denied, EXIT_REFUSED),
        (Unavailable, EXIT_UNAVAILABLE),
        (Conflict, EXIT_CONFLICT),
        ((Invalid, Malformed, TooLarge), EXIT_USAGE),
    )
    return next((code for kinds, code in codes if isinstance(error, kinds)), EXIT_FAILED)
