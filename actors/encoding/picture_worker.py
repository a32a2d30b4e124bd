"""The picture process: `python -m veza.actors.encoding.picture_worker SOCKET_FD PARENT_PID`.

It owns one file and one socket, shuts itself in, makes one small picture, sends it, and ends.
"""

import sys
from typing import BinaryIO

from veza.actors.encoding.child import Channel, run_worker, shut_in
from veza.actors.encoding.frames import (
    FailedFrame,
    FrameError,
    StartThumbnailFrame,
    ThumbnailFrame,
)
from veza.codecs.pictures import make_thumbnail
from veza.codecs.thumbnail import PictureError, PictureFault


def serve(channel: Channel, source: BinaryIO, parent_pid: int) -> None:
    """Make the thumbnail that the first frame asks for."""
    start = channel.receive()
    if not isinstance(start, StartThumbnailFrame):
        raise FrameError("the first frame starts a job")
    shut_in(channel, start, parent_pid)
    channel.send(_made(source, start.max_edge_px))


def _made(source: BinaryIO, max_edge_px: int) -> ThumbnailFrame | FailedFrame:
    try:
        thumbnail = make_thumbnail(source.read(), max_edge_px=max_edge_px)
    except PictureError as error:
        return FailedFrame(fault=error.fault, detail=error.detail)
    except MemoryError:
        detail = "decoding it takes more memory than a job may have"
        return FailedFrame(fault=PictureFault.TOO_MANY_PIXELS, detail=detail)
    return ThumbnailFrame(
        picture_width_px=thumbnail.picture_width_px,
        picture_height_px=thumbnail.picture_height_px,
        width_px=thumbnail.width_px,
        height_px=thumbnail.height_px,
        data=thumbnail.data,
    )


if __name__ == "__main__":
    sys.exit(run_worker(sys.argv[1:], serve))
