`wsping` (and `wsdaemon ping`): measures any WebSocket endpoint as Jetty's TestClient did, checks every reply, and prints like ping or as JSON; `wsdaemon.client` is the library below it.
