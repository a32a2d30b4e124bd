"""How operators look into a node and act on it: over HTTP, over the unix socket, and live."""

from veza.config.version import version

__all__ = ["version"]
