"""The clients that run the tables of tests/cases: each returns what it saw of a case, by name."""

INI = """
[server]
shutdown_timeout = 1
[tls]
enabled = yes
certificate = auto
port = 0
[websocket]
close_timeout = 60
"""
"""The default daemon, with TLS. No busy machine ends a closing handshake, and it ends soon itself."""
