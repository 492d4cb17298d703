# The server in a container: http and ws on 8080, https and wss on 8443 with a certificate of its own.
#
#   docker build -t wsdaemon .
#   docker run --rm -p 8080:8080 -p 8443:8443 wsdaemon
#
# docs/service.md says how to give it another ws.ini, pages or a certificate.

FROM python:3.12-slim AS build
WORKDIR /src
COPY setup.cfg pyproject.toml README.md LICENSE ./
COPY wsdaemon wsdaemon
COPY twisted twisted
COPY static static
COPY conf conf
RUN python -m venv /opt/wsdaemon && /opt/wsdaemon/bin/pip install --no-cache-dir '.[speed]'
# The port says nothing of the outside: docker's -p does. Within docker's 10 s from SIGTERM to SIGKILL all are sent off.
RUN mkdir -p /etc/wsdaemon && printf '%s\n' \
    '[server]' 'interface = 0.0.0.0' 'shutdown_timeout = 8' \
    '[tls]' 'enabled = yes' 'certificate = auto' > /etc/wsdaemon/ws.ini
# The second has Twisted keep what it finds of plugins, now that it may write.
RUN /opt/wsdaemon/bin/wsdaemon check-config /etc/wsdaemon/ws.ini && /opt/wsdaemon/bin/twistd --help >/dev/null

FROM python:3.12-slim
COPY --from=build /opt/wsdaemon /opt/wsdaemon
COPY --from=build /etc/wsdaemon /etc/wsdaemon
# Where `certificate = auto` is kept. Whoever it runs as (docker run --user) is in the group 0, unless told otherwise.
RUN install -d -o 10001 -g 0 -m 0770 /var/lib/wsdaemon
ENV STATE_DIRECTORY=/var/lib/wsdaemon
USER 10001:0
EXPOSE 8080 8443
STOPSIGNAL SIGTERM
# Any answer will do: with `host_names` it is a 421.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/opt/wsdaemon/bin/python", "-c", \
    "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8080, 4); c.request('HEAD', '/'); c.getresponse()"]
ENTRYPOINT ["/opt/wsdaemon/bin/wsdaemon", "serve", "--config", "/etc/wsdaemon/ws.ini"]
