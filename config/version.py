"""Which version this is."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version


def version() -> str:
    """Return the installed version, or say that this is a bare checkout."""
    try:
        return installed_version("veza")
    except PackageNotFoundError:
        return "0+checkout"
