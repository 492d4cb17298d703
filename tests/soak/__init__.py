"""The soak: a daemon under many connections of every kind, good and bad, for minutes; nothing of it may stay behind."""
