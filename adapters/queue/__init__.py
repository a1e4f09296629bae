"""The job queue: Dramatiq over Redis, or threads in this process."""
