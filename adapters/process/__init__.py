"""Child processes that run CPU-heavy jobs and can be killed."""
