"""How fast the server is beside others, measured on one machine in turns: `make bench`.

`shapes` says what is measured, `servers` who takes part and `peers/` holds their servers, `wsload.c` is the load
generator; `measure` runs one server in one shape, `report`, `chart` and `compare` say what came out.
"""
