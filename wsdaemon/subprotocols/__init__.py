"""Subprotocols, one class in one file each. A new file here is found without being listed.

To add one, subclass `wsdaemon.subprotocol.Connection` and set its `names`, in a module here or in a package of your
own, which registers the class under the entry-point group `wsdaemon.subprotocols`.
"""
