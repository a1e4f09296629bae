"""The candlestick patterns: our names, and the TA-Lib functions behind them.

The table is written out so that payloads are checked without importing TA-Lib.
"""

from __future__ import annotations

from collections.abc import Iterable

from domain.market.model import FloatColumn

CANDLESTICKS = {
    "abandoned_baby": "CDLABANDONEDBABY",
    "advance_block": "CDLADVANCEBLOCK",
    "belt_hold": "CDLBELTHOLD",
    "breakaway": "CDLBREAKAWAY",
    "closing_marubozu": "CDLCLOSINGMARUBOZU",
    "concealing_baby_swallow": "CDLCONCEALBABYSWALL",
    "counterattack": "CDLCOUNTERATTACK",
    "dark_cloud_cover": "CDLDARKCLOUDCOVER",
    "doji": "CDLDOJI",
    "doji_star": "CDLDOJISTAR",
    "dragonfly_doji": "CDLDRAGONFLYDOJI",
    "engulfing": "CDLENGULFING",
    "evening_doji_star": "CDLEVENINGDOJISTAR",
    "evening_star": "CDLEVENINGSTAR",
    "gap_side_side_white": "CDLGAPSIDESIDEWHITE",
    "gravestone_doji": "CDLGRAVESTONEDOJI",
    "hammer": "CDLHAMMER",
    "hanging_man": "CDLHANGINGMAN",
    "harami": "CDLHARAMI",
    "harami_cross": "CDLHARAMICROSS",
    "high_wave": "CDLHIGHWAVE",
    "hikkake": "CDLHIKKAKE",
    "homing_pigeon": "CDLHOMINGPIGEON",
    "identical_three_crows": "CDLIDENTICAL3CROWS",
    "in_neck": "CDLINNECK",
    "inverted_hammer": "CDLINVERTEDHAMMER",
    "kicking": "CDLKICKING",
    "kicking_by_length": "CDLKICKINGBYLENGTH",
    "ladder_bottom": "CDLLADDERBOTTOM",
    "long_legged_doji": "CDLLONGLEGGEDDOJI",
    "long_line": "CDLLONGLINE",
    "marubozu": "CDLMARUBOZU",
    "mat_hold": "CDLMATHOLD",
    "matching_low": "CDLMATCHINGLOW",
    "modified_hikkake": "CDLHIKKAKEMOD",
    "morning_doji_star": "CDLMORNINGDOJISTAR",
    "morning_star": "CDLMORNINGSTAR",
    "on_neck": "CDLONNECK",
    "piercing": "CDLPIERCING",
    "rickshaw_man": "CDLRICKSHAWMAN",
    "rise_fall_three_methods": "CDLRISEFALL3METHODS",
    "separating_lines": "CDLSEPARATINGLINES",
    "shooting_star": "CDLSHOOTINGSTAR",
    "short_line": "CDLSHORTLINE",
    "spinning_top": "CDLSPINNINGTOP",
    "stalled_pattern": "CDLSTALLEDPATTERN",
    "stick_sandwich": "CDLSTICKSANDWICH",
    "takuri": "CDLTAKURI",
    "tasuki_gap": "CDLTASUKIGAP",
    "three_black_crows": "CDL3BLACKCROWS",
    "three_inside": "CDL3INSIDE",
    "three_line_strike": "CDL3LINESTRIKE",
    "three_outside": "CDL3OUTSIDE",
    "three_stars_in_south": "CDL3STARSINSOUTH",
    "three_white_soldiers": "CDL3WHITESOLDIERS",
    "thrusting": "CDLTHRUSTING",
    "tristar": "CDLTRISTAR",
    "two_crows": "CDL2CROWS",
    "unique_three_river": "CDLUNIQUE3RIVER",
    "upside_gap_two_crows": "CDLUPSIDEGAP2CROWS",
    "xside_gap_three_methods": "CDLXSIDEGAP3METHODS",
}

# TA-Lib's sources say of these that the sign of the output "does not mean it is bullish" or bearish.
NEUTRAL_CANDLESTICKS = frozenset(
    {
        "doji",
        "dragonfly_doji",
        "gravestone_doji",
        "high_wave",
        "long_legged_doji",
        "rickshaw_man",
        "short_line",
        "spinning_top",
        "takuri",
    }
)

# The longest pattern looks back 13 bars, and averages of 10 bars before each of them.
LOOK_BACK = 32


Columns = tuple[FloatColumn, FloatColumn, FloatColumn, FloatColumn]
"""Open, high, low and close of bars."""


def completed(columns: Columns, names: Iterable[str]) -> list[tuple[str, int]]:
    """Return the patterns that the last bar completes, with TA-Lib's value: above zero is bullish.

    Args:
        columns: of the last bars, closed; more than `LOOK_BACK` of them change nothing.
        names: keys of `CANDLESTICKS`.
    """
    import talib  # costly to import, and payloads are checked without

    found = ((name, int(getattr(talib, CANDLESTICKS[name])(*columns)[-1])) for name in names)
    return [(name, value) for name, value in found if value]
