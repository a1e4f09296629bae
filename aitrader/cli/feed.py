"""``aitrader feed``: market data for programs on other machines."""

from __future__ import annotations

import click

from aitrader.cli.common import say


@click.command(
    epilog="""\b
    Examples:
      REDIS_URL=redis://localhost:6379/0 aitrader feed simulated --symbol NSE:INFY --symbol NSE:TCS
      REDIS_URL=redis://localhost:6379/0 aitrader feed replay --file ticks/2026-11-25.csv --speed 10
    """
)
@click.argument("source", type=click.Choice(["simulated", "replay", "redis"]))
@click.option("--symbol", "symbols", multiple=True, help="A symbol; may be given again.")
@click.option("--file", "file", type=click.Path(), help="Recorded ticks to replay; else stored bars.")
@click.option("--speed", type=click.FloatRange(0.001, 100_000), help="How many times faster than in reality.")
def feed(source: str, symbols: tuple[str, ...], file: str | None, speed: float | None) -> None:
    """Run a market feed: ticks go to the stream ticks:global, last prices to everyone.

    Where nothing is configured, set AITRADER_FEED and start ``aitrader up`` instead: it takes the ticks in itself.
    """
    from aitrader.bootstrap import Application
    from aitrader.logs import set_up_logging
    from aitrader.settings import load_settings
    from aitrader.settling import settle
    from aitrader.shutdown import Shutdown
    from domain.common.errors import Invalid

    named = ",".join(symbols) or None
    settings = load_settings(feed=source, feed_symbols=named, feed_file=file, feed_speed=speed)
    if settings.redis_url is None:
        raise Invalid(
            f"a feed of its own needs REDIS_URL; without Redis: AITRADER_FEED={source} aitrader up",
            code="redis_url_missing",
        )
    set_up_logging(settings, service="feed")
    application = Application(settings, role="feed", works=False)
    shutdown = Shutdown()
    shutdown.install()
    application.start()
    settle()
    say(f"feed {source} runs; Ctrl-C stops")
    shutdown.wait()
    application.stop(settings.drain_seconds)
    raise click.exceptions.Exit(shutdown.exit_code)
