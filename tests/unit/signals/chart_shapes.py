"""Chart patterns drawn by hand, for tests and for the pictures of the docs."""

from __future__ import annotations

from dataclasses import dataclass

from aitrader.testing.bars import bars_through
from domain.market.model import Bars


def draw(turns: str, *, upside_down: bool = False) -> Bars:
    """Return bars through turning points, written as ``bar:close``."""
    pairs = [word.split(":") for word in turns.split()]
    points = [(int(bar), 220.0 - float(close) if upside_down else float(close)) for bar, close in pairs]
    return bars_through(points)


@dataclass(frozen=True)
class Drawn:
    """A pattern as turning points of closes, the bar that completes it, and the bars of its points."""

    name: str
    turns: str
    bar: int
    points: tuple[int, ...]


# All break upwards. Wicks of 0.25 and half a point a bar make the ATR about 1.
DRAWN = (
    Drawn("double_bottom", "0:100 20:110 40:100 50:105 60:100.2 76:108", 71, (40, 50, 60)),
    Drawn(
        "triple_bottom",
        "0:100 20:110 40:100 50:105 60:100.3 70:105.2 80:100.1 96:108",
        92,
        (40, 50, 60, 70, 80),
    ),
    Drawn(
        "inverse_head_and_shoulders",
        "0:100 24:112 44:102 54:107 68:100 82:107 92:102 110:111",
        104,
        (44, 54, 68, 82, 92),
    ),
    Drawn(
        "ascending_triangle",
        "0:90 20:100 30:105 50:95 70:105 84:98 104:108",
        100,
        (30, 50, 70, 84),
    ),
    Drawn(
        "descending_triangle",
        "0:90 40:110 60:100 74:107 88:100 100:106 110:111",
        99,
        (40, 60, 74, 88),
    ),
    Drawn(
        "symmetrical_triangle",
        "0:90 40:110 60:100 76:108 88:102 104:110",
        99,
        (40, 60, 76, 88),
    ),
    Drawn("falling_wedge", "0:100 40:120 70:105 84:112 104:102 124:112", 115, (40, 70, 84, 104)),
    Drawn(
        "rising_wedge",
        "0:90 20:100 40:90 60:100 74:93 92:102 100:98 116:106",
        112,
        (60, 74, 92, 100),
    ),
    Drawn(
        "rectangle",
        "0:100 20:90 40:100 60:90 80:100 100:90 124:102",
        122,
        (40, 60, 80, 100),
    ),
    Drawn("bull_flag", "0:100 20:100 28:112 38:109 42:114", 39, (21, 28, 38)),
    Drawn(
        "resistance_break",
        "0:90 20:100 30:95 40:100 56:92 72:100 80:96 96:104",
        90,
        (20, 40, 72),
    ),
    Drawn(
        "support_bounce",
        "0:110 20:100 30:106 42:100 60:109 78:100 90:106",
        82,
        (20, 42, 78),
    ),
)

# What each becomes upside down.
MIRROR = {
    "double_bottom": "double_top",
    "triple_bottom": "triple_top",
    "inverse_head_and_shoulders": "head_and_shoulders",
    "ascending_triangle": "descending_triangle",
    "descending_triangle": "ascending_triangle",
    "symmetrical_triangle": "symmetrical_triangle",
    "falling_wedge": "rising_wedge",
    "rising_wedge": "falling_wedge",
    "rectangle": "rectangle",
    "bull_flag": "bear_flag",
    "resistance_break": "support_break",
    "support_bounce": "resistance_rejection",
}

# (name, what is wrong, turning points): nearly a pattern, but not one.
NEARLY: tuple[tuple[str, str, str], ...] = (
    ("double_bottom", "uneven lows", "0:100 20:110 40:100 50:105 56:102 72:110"),
    ("double_bottom", "too flat", "0:100 20:110 40:100 44:101.5 52:100 76:108"),
    ("double_bottom", "nothing to reverse", "0:100 8:104 16:100 28:106 40:100 60:110"),
    ("double_bottom", "no close above", "0:100 20:110 40:100 50:105 60:100.2 70:105.4"),
    ("double_bottom", "below its lows first", "0:100 20:110 40:100 50:105 60:100 66:103 75:98.5 95:110"),
    ("double_bottom", "too late", "0:100 20:110 40:100 50:105 60:100 64:102.4 90:103 98:108"),
    ("triple_bottom", "third low is lower", "0:100 20:110 40:100 50:105 60:100 70:105 83:98.5 103:109"),
    ("inverse_head_and_shoulders", "no head", "0:100 24:112 44:102 54:107 65:101.5 76:107 86:102 104:111"),
    (
        "inverse_head_and_shoulders",
        "uneven shoulders",
        "0:100 24:112 44:102 54:107 74:97 94:107 99:104.5 117:113",
    ),
    ("inverse_head_and_shoulders", "lopsided", "0:100 24:112 44:102 54:107 60:101 110:107 120:102 138:111"),
    ("ascending_triangle", "uneven highs", "0:90 20:100 30:105 50:95 66:103 76:98 100:110"),
    ("ascending_triangle", "no close above", "0:90 20:100 30:105 50:95 70:105 84:98 98:105.3"),
    ("symmetrical_triangle", "sides run in parallel", "0:90 40:110 60:100 76:108 96:98 120:110"),
    ("symmetrical_triangle", "past its apex", "0:90 40:110 60:100 76:108 88:102 92:104.1 140:105 150:110"),
    ("falling_wedge", "sides run in parallel", "0:100 40:120 70:105 84:112 114:97 140:110"),
    ("falling_wedge", "a close was outside before", "0:100 40:120 44:118.6 52:119.6 76:105 90:112 110:102 130:112"),
    ("rectangle", "uneven lows", "0:90 40:100 60:90 80:100 95:92.5 119:104"),
    ("bull_flag", "short pole", "0:100 20:100 24:102 32:101.2 36:104"),
    ("bull_flag", "gives back too much", "0:100 20:100 28:112 38:105 44:114"),
    ("bull_flag", "goes on rising", "0:100 20:100 28:112 29:110 39:111.9 43:116"),
    ("bull_flag", "too long", "0:100 20:100 28:112 55:108.5 60:114"),
    ("resistance_break", "touched twice", "0:80 40:100 56:92 72:100 80:96 96:104"),
    ("resistance_break", "a higher high between", "0:90 20:100 30:95 44:102 64:92 80:100 88:96 98:101"),
    ("resistance_break", "no close above", "0:90 20:100 30:95 40:100 56:92 72:100 80:96 88:100.3"),
    ("support_bounce", "touched twice", "0:110 42:100 60:109 78:100 90:106"),
    ("support_bounce", "not proved yet", "0:110 20:100 30:106 42:100 60:109 78:100 81:101.5"),
)
