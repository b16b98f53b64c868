"""The console: what a campaign does, over HTTP and a WebSocket, and what people tell it to do."""
