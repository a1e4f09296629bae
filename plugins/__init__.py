"""First-party plugins. They import only ``aitrader.api`` and ``aitrader.testing``, as anyone's would."""
