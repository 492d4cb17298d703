"""Load on a WebSocket server: what to send and when, what came back, and how to show it.

`plan` says what a run does, `schedule` when each message is due, `runner` and `connects` do it, `record` keeps what
was measured, `health` watches whether the client itself was the limit. `document` turns all of it into the stable
JSON document, and `summary`, `compare` and `report` show nothing but such documents.
"""
