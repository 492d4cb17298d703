"""Servers of other libraries for the benchmark, each as its own documentation would have it for speed.

Each is started as `python -m benchmarks.peers.NAME` with the options of `common.arguments`, echoes at `/`, sends each
message to everyone connected at `/broadcast`, and takes messages of up to 32 MiB. All agree to permessage-deflate where
the client offers it and the library has it.
"""
