"""Subprotocols, one class in one file each. A new file here is found without being listed.

To add one, subclass `Connection` (`wsdaemon.websocket.connection`) in a module here and set its `names`. A package of
your own imports it from `wsdaemon.subprotocol` and registers its class as an entry point of `wsdaemon.subprotocols`.
"""
