"""HTTP: one URL space for files and WebSockets; a request that is no upgrade never reaches WebSocket code."""
