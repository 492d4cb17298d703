"""The test behaviours, one class in one file each; the registry finds them by themselves.

To add one: a module here, or in a package of your own that names it under the entry-point group
`wsdaemon.subprotocols`, with a subclass of `wsdaemon.websocket.connection.Connection` that has `names`.
"""
