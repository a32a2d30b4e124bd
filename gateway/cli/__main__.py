"""`python -m veza.gateway.cli` is `veza`, in a checkout that is not installed."""

from veza.gateway.cli import main

main()
