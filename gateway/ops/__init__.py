"""How operators look into a node and act on it: over HTTP, over the unix socket, and live."""
