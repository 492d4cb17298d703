"""Benchmark of this server and others, taking turns on one machine: `make bench`.

`shapes` lists the kinds of load and `servers` the participants, whose code is in `peers/`; `wsload.c` is the load
generator. `measure` runs one server in one shape; `report`, `chart` and `compare` present the results.
"""
