"""One folder per technology. Adapters import ``domain`` and never each other."""
