"""Fuzzing of whole connections: any bytes a client may send, against a docroot made for it.

`target` runs an input and holds the responses to the promises (`answers`); `fuzz_http` looks for inputs, guided by
coverage; `seeds` are inputs that failed once, and `corpus` keeps what the fuzzer found worth keeping.
"""
