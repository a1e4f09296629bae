"""``python -m aitrader`` is the same as ``aitrader``."""

from aitrader.cli import main

main()
