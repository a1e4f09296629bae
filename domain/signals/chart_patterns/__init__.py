"""Chart patterns: swings of the price, what they draw, and the close that completes it.

``finding`` has the one function to call, ``model`` the names and values. ``swings`` finds turning points;
``reversals``, ``boundaries``, ``levels`` and ``flags`` are the rules; ``kernels`` are the compiled loops. Everything
at a bar is a function of that bar and those before it.
"""
