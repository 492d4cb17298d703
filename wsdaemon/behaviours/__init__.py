"""Test behaviours: subprotocols that a URL chooses, with parameters in its query.

Each file has one of them: its parameters, what it does, and the `Part` by which these parameters act on other
behaviours too. A new file here is found without being listed. The parameters of all parts combine in one query:
`/echo?delay=200&fragment=3&throttle=10k`.
"""
