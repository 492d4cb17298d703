"""`wsdaemon load`: load on a WebSocket server, measured and reported.

`plan` describes a run and `schedule` when each message is due. `runner` (messages) and `connects` (handshakes) drive it
with a `measurement`, whose `record` keeps latencies and counts, while `health` checks whether the client itself was the
limit. `document` makes the stable JSON document of it; `summary`, `compare` and `report` show such documents.
"""
