"""The job type ``backtest``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from aitrader.api import (
    Activity,
    BacktestResult,
    Bars,
    Dataset,
    FieldError,
    FloatColumn,
    Invalid,
    Isolation,
    JobContext,
    JobType,
    Metrics,
    Strategy,
    measure,
    needs_sentiment,
    rfc3339,
)
from plugins.backtest.engine import Costs, Simulation, simulate
from plugins.backtest.payload import (
    Assumptions,
    BacktestPayload,
    BacktestReport,
    BuyAndHold,
    OpenPosition,
    SentimentUsed,
    SymbolReport,
)
from plugins.backtest.sentiment import sentiment_of_bars

_STEPS = ("reading bars", "simulating", "metrics", "writing")


@dataclass(frozen=True, slots=True)
class _Plan:
    """A payload with its strategy found and its parameters validated."""

    payload: BacktestPayload
    strategy: Strategy
    params: Any
    params_json: dict[str, Any]
    code_version: str


@dataclass(frozen=True, slots=True)
class _Run:
    """The simulation of one symbol."""

    dataset: Dataset
    bars: Bars
    simulation: Simulation
    hold: Simulation
    sentiment: SentimentUsed | None


class BacktestJob(JobType):
    """Trade a strategy over stored bars, symbol by symbol."""

    name = "backtest"
    title = "Backtest"
    payload_type = BacktestPayload
    result_type = BacktestReport
    isolation = Isolation.PROCESS
    max_attempts = 2
    deadline_s = 1800.0
    needs = ("bars", "sentiment")
    example: Mapping[str, Any] = {
        "symbols": ["NASDAQ:AAPL"],
        "timeframe": "1d",
        "strategy": "sma_cross",
        "params": {"fast": 10, "slow": 30},
        "initial_cash": "100000",
    }

    def run(self, context: JobContext, payload: BacktestPayload) -> BacktestReport:
        """Backtest each symbol; record one row and publish two tables and a chart per symbol.

        Raises:
            NotFound: the strategy is not registered, or no bars, or none of the texts that it needs, are stored for
                a symbol.
            Invalid: the parameters do not fit the strategy, no bar lies in the range, or the strategy
                returned something else than exposures.
            JobCanceled: cancel was requested.
        """
        plan = _plan(context, payload)
        names = payload.file_stems()
        total = len(payload.symbols) * len(_STEPS)
        reports = []
        for number, symbol in enumerate(payload.symbols):
            progress = _Progress(context, symbol, number * len(_STEPS), total)
            reports.append(_backtest(context, plan, symbol, names[symbol], progress))
        context.progress(1.0, "done")
        return BacktestReport(results=reports)


@dataclass(slots=True)
class _Progress:
    context: JobContext
    symbol: str
    done: int
    total: int

    def next(self, step: str) -> None:
        """Report that ``step`` begins; stops the job when it is canceled."""
        self.context.progress(self.done / self.total, f"{self.symbol}: {step}")
        self.context.check()
        self.done += 1


def _plan(context: JobContext, payload: BacktestPayload) -> _Plan:
    from pydantic import TypeAdapter, ValidationError

    strategy = context.strategy(payload.strategy)
    adapter: TypeAdapter[Any] = TypeAdapter(strategy.params_type)
    try:
        params = adapter.validate_python(payload.params)
    except ValidationError as error:
        raise _invalid_params(payload.strategy, error) from None
    return _Plan(payload, strategy, params, adapter.dump_python(params, mode="json"), _code_version())


def _invalid_params(strategy: str, error: Any) -> Invalid:
    fields = [
        FieldError(".".join(["payload", "params", *map(str, problem["loc"])]), problem["msg"])
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    detail = f"the parameters do not fit strategy {strategy!r}: {fields[0].field}: {fields[0].message}"
    return Invalid(detail, code="invalid_params", errors=fields)


def _code_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("aitrader")
    except PackageNotFoundError:
        return "0"


def _backtest(context: JobContext, plan: _Plan, symbol: str, stem: str, progress: _Progress) -> SymbolReport:
    progress.next("reading bars")
    dataset, bars = _read(context, symbol, plan.payload)
    progress.next("simulating")
    run = _simulate(context, plan, dataset, bars)
    progress.next("metrics")
    metrics = _metrics(run, run.simulation, plan.payload)
    hold = _metrics(run, run.hold, plan.payload)
    progress.next("writing")
    artifacts = _write(context, plan, run, stem)
    report = _report(plan, run, metrics, hold, artifacts)
    context.record(_row(plan, run, symbol, report))
    return report


def _read(context: JobContext, symbol: str, payload: BacktestPayload) -> tuple[Dataset, Bars]:
    dataset = context.bars.describe(symbol, payload.timeframe)
    bars = context.bars.read(
        symbol,
        payload.timeframe,
        start_ms=payload.start_ms,
        end_ms=payload.end_ms,
    )
    if len(bars):
        return dataset, bars
    raise payload.no_bars(symbol, dataset)


def _simulate(context: JobContext, plan: _Plan, dataset: Dataset, bars: Bars) -> _Run:
    import numpy as np

    payload = plan.payload
    wanted, sentiment = _targets(context, plan, dataset, bars)
    targets = np.asarray(wanted, dtype=np.float64)
    if not payload.allow_short:
        targets = np.maximum(targets, 0.0)
    always: FloatColumn = np.ones(len(bars))
    cash, costs = float(payload.initial_cash), Costs(payload.commission_bps, payload.slippage_bps)
    return _Run(
        dataset,
        bars,
        simulate(bars, targets, cash=cash, costs=costs),
        simulate(bars, always, cash=cash, costs=costs),
        sentiment,
    )


def _targets(
    context: JobContext, plan: _Plan, dataset: Dataset, bars: Bars
) -> tuple[FloatColumn, SentimentUsed | None]:
    strategy = plan.strategy
    if not needs_sentiment(strategy):
        return strategy.targets(bars, plan.params), None
    decay = strategy.decay(plan.params)
    sentiment, used = sentiment_of_bars(context.sentiment, dataset.symbol, bars, plan.payload.timeframe, decay)
    return strategy.targets_with(bars, sentiment, plan.params), used


def _metrics(run: _Run, simulation: Simulation, payload: BacktestPayload) -> Metrics:
    activity = Activity(
        trade_pnl=simulation.trades.pnl,
        traded_notional=simulation.traded_notional,
        fees=simulation.fees,
        slippage=simulation.slippage,
        bars_in_market=simulation.bars_in_market,
    )
    bars_per_year = run.dataset.session.bars_per_year(payload.timeframe)
    return measure(simulation.equity, run.bars.time, activity, bars_per_year=bars_per_year, rf=payload.risk_free_rate)


def _write(context: JobContext, plan: _Plan, run: _Run, stem: str) -> list[str]:
    from plugins.backtest.artifacts import PARQUET, write_equity, write_trades
    from plugins.backtest.charts import write_chart
    from plugins.figures import PNG

    names = [f"equity-{stem}.parquet", f"trades-{stem}.parquet", f"equity-{stem}.png"]
    write_equity(context.artifact(names[0], PARQUET), run.bars, run.simulation)
    context.check()
    write_trades(context.artifact(names[1], PARQUET), run.bars, run.simulation.trades)
    context.check()
    title = f"{run.dataset.symbol} {plan.payload.timeframe} · {plan.strategy.title}{_listed(plan.params_json)}"
    chart = context.artifact(names[2], PNG)
    write_chart(chart, title, run.dataset.currency, run.bars, run.simulation, run.hold.equity)
    return names


def _listed(params: dict[str, Any]) -> str:
    return f" ({', '.join(f'{name} {value}' for name, value in params.items())})" if params else ""


def _report(plan: _Plan, run: _Run, metrics: Metrics, hold: Metrics, artifacts: list[str]) -> SymbolReport:
    simulation, bars = run.simulation, run.bars
    return SymbolReport(
        symbol=run.dataset.symbol,
        strategy=plan.strategy.name,
        params=plan.params_json,
        timeframe=plan.payload.timeframe,
        currency=run.dataset.currency,
        start=rfc3339(int(bars.time[0])),
        end=rfc3339(int(bars.time[-1])),
        bars=len(bars),
        metrics=metrics.as_dict(),
        buy_and_hold=BuyAndHold(total_return=hold.total_return, cagr=hold.cagr),
        final_equity=money(float(simulation.equity[-1])),
        fees=money(simulation.fees),
        slippage=money(simulation.slippage),
        n_trades=metrics.n_trades,
        ruined=simulation.ruined,
        open_position=_open_position(run),
        assumptions=_assumptions(plan.payload, run.dataset, metrics),
        sentiment=run.sentiment,
        data_hash=bars.data_hash(),
        code_version=plan.code_version,
        artifacts=artifacts,
    )


def money(amount: float) -> Decimal:
    """Return a currency amount as a decimal of two to eight places: float64 carries no more."""
    whole, _, places = f"{amount:z.8f}".partition(".")
    return Decimal(f"{whole}.{places.rstrip('0').ljust(2, '0')}")


def _open_position(run: _Run) -> OpenPosition | None:
    trade = run.simulation.open_trade
    if trade is None:
        return None
    mark = float(run.bars.close[-1])
    return OpenPosition(
        side="long" if trade.position > 0 else "short",
        quantity=abs(trade.position),
        entry_time=rfc3339(int(run.bars.time[trade.entry_bar])),
        entry_price=trade.entry_price,
        mark_price=mark,
        unrealized_pnl=money(trade.cash_flow + trade.position * mark),
    )


def _assumptions(payload: BacktestPayload, dataset: Dataset, metrics: Metrics) -> Assumptions:
    return Assumptions(
        initial_cash=payload.initial_cash,
        commission_bps=payload.commission_bps,
        slippage_bps=payload.slippage_bps,
        allow_short=payload.allow_short,
        session=dataset.session,
        bars_per_year=metrics.bars_per_year,
    )


def _row(plan: _Plan, run: _Run, step: str, report: SymbolReport) -> BacktestResult:
    return BacktestResult(
        strategy=report.strategy,
        params=report.params,
        symbols=[report.symbol],
        timeframe=str(report.timeframe),
        start_ms=int(run.bars.time[0]),
        end_ms=int(run.bars.time[-1]),
        metrics=report.metrics,
        data_hash=report.data_hash,
        code_version=report.code_version,
        step=step,
        seed=plan.payload.seed,
        artifacts=report.artifacts,
    )
