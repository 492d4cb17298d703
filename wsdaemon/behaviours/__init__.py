"""Test behaviours: subprotocols that a URL chooses, with parameters in its query.

Each stands in a file of its own, and is found by being there: its parameters, what it does, and the `Part` by which
these parameters act on any other behaviour. A query names what differs from the defaults, and each part takes its own
parameters from it, so that they combine: `/echo?delay=200&fragment=3&throttle=10k`.
"""
