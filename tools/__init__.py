"""Tools for developers, run by `make`."""
