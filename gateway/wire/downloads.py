"""What is said of taking tracks home."""

from typing import Literal

from pydantic import BaseModel

from veza.actors.messages.downloads import CopyFormat, DownloadState
from veza.gateway.values import Body, View

Taken = Literal["original", "mp3", "opus"]


class DownloadQuery(BaseModel):
    """`original` is the file as it was uploaded; the others are copies, to be asked for first."""

    format: Taken = "original"


class NewCopy(Body):
    """The copy that is wanted."""

    format: CopyFormat


class DownloadView(View):
    """One way to have a track. `size_bytes` is null until it is `ready`."""

    format: Taken
    state: DownloadState
    size_bytes: int | None


class DownloadsView(View):
    data: list[DownloadView]
