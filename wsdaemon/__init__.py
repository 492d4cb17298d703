"""wsdaemon: a WebSocket test server, client and toolkit on Twisted and Autobahn|Python."""
