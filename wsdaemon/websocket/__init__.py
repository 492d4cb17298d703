"""What all WebSocket connections share: the opening handshake, frames, compression, flow control, close codes."""
