"""Observation of the daemon: log, metrics and their declarations, refusals by cause, loop lag."""
