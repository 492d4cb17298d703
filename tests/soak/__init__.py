"""The soak: minutes of connections of every kind, good and bad, after which the daemon must have leaked nothing."""
