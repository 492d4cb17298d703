"""Subprotocols, one class in one file each; the registry finds them by their being here.

To add one, write a module here, or in a package of your own that names it under the entry-point group
`wsdaemon.subprotocols`, with a subclass of `wsdaemon.subprotocol.Connection` that has `names`.
"""
