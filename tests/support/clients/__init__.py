"""The clients that run the tables of tests/cases: each returns what it saw of a case, by name."""

INI = "[tls]\nenabled = yes\ncertificate = auto\nport = 0\n[websocket]\nclose_timeout = 1\n"
"""The default daemon, with TLS; at its end it does not wait long for clients that it stalls."""
