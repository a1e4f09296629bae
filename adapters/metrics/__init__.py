"""Metrics for programs that watch this one."""
