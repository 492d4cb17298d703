The daemon: a docroot and Jetty's test subprotocols on one port, plain and over TLS, as the twistd plugin `wsdaemon` and as `wsdaemon serve`.
