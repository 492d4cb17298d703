"""The twistd command `wsdaemon`; everything is in `wsdaemon.tap`."""

from twisted.application.service import ServiceMaker

wsdaemon = ServiceMaker(
    "wsdaemon", "wsdaemon.tap", "A WebSocket test server: a docroot and the test subprotocols on one port.", "wsdaemon"
)
