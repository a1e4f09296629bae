"""The built-in strategy engine as a server of its own."""
