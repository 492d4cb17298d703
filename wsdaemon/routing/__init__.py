"""Which subprotocol or behaviour an upgrade request gets."""
