"""How the daemon can be watched: its log."""
