"""The built-in sentiment engine as a server of its own."""
