"""Jobs: what to run, its states, attempts, progress, leases and results."""
