"""Servers built on other libraries, each as fast as its own documentation shows.

Each is started as `python -m benchmarks.peers.NAME` with the options of `common.arguments`. It echoes at `/`, and sends
each message at `/broadcast` to everyone connected there. It accepts messages of up to 32 MiB, and permessage-deflate if
the client offers it and the library supports it.
"""
