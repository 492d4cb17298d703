"""What test behaviours are made of: parameters in a URL's query, and the parts that act on them.

A behaviour is a subprotocol (`wsdaemon.subprotocols`) that subclasses `behaving.Behaving`. Each part stands in a file
of its own, with the dataclass that declares its parameters: `answering` (the handshake), `closing`, `timing`,
`framing`, `ordering`, `compressing`. A URL's query names what differs from the defaults, and every part takes its own
from it, so that they compose: `/echo?delay=200&fragment=3&throttle=10k`.
"""
