"""What only a bucket can do wrong: be away, be full, give other bytes; and the links that it gives."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from time import monotonic
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen
from uuid import UUID

import obstore
import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from veza.persistence.errors import (
    InvalidKeyError,
    MediaNotFoundError,
    MediaUnavailableError,
    StorageFullError,
)
from veza.persistence.media_store import LINK_SECONDS
from veza.persistence.s3_store import RETRY_SECONDS, S3MediaStore

KEY = "media/0190/aac-64/0.m4s"
UPLOAD = UUID(int=1)


@pytest.fixture
def store(bucket, tmp_path: Path) -> S3MediaStore:
    return S3MediaStore(bucket.described(), tmp_path)


def every_way(store: S3MediaStore):
    """All that asks the bucket for something."""
    return (
        lambda: store.put(KEY, b"bytes"),
        lambda: store.read(KEY),
        lambda: store.size(KEY),
        lambda: store.measure(KEY),
        lambda: store.locate(KEY),
        lambda: store.open_source(KEY),
        lambda: store.delete(KEY),
        lambda: store.delete_below("media/0190"),
        lambda: store.entries("media", after="", limit=1),
        lambda: store.finish(UPLOAD, KEY),
    )


def test_a_bucket_that_is_away_is_away_and_not_empty(store, bucket) -> None:
    store.staging.append(UPLOAD, 0, b"bytes")
    store.put(KEY, b"bytes")
    bucket.stop()
    began = monotonic()
    with ThreadPoolExecutor(10) as threads:
        asked = [threads.submit(ask) for ask in every_way(store)]
    assert {type(each.exception()) for each in asked} == {MediaUnavailableError}
    assert monotonic() - began < RETRY_SECONDS
    bucket.start()

    assert store.read(KEY) == b"bytes"
    assert store.finish(UPLOAD, "sources/one")[0] == 5


def test_a_bucket_that_does_not_exist_is_no_empty_one(bucket, tmp_path: Path) -> None:
    for ask in every_way(S3MediaStore(bucket.described(name="no-such-bucket"), tmp_path))[:-1]:
        with pytest.raises(MediaUnavailableError, match="404"):
            ask()


def test_a_large_upload_goes_in_parts_and_comes_back_the_same(store, tmp_path: Path) -> None:
    data = os.urandom(20 * 1024 * 1024 + 1)
    store.staging.append(UPLOAD, 0, data)

    expected = (len(data), hashlib.sha256(data).digest())
    assert store.finish(UPLOAD, "sources/one") == expected
    assert store.finish(UPLOAD, "sources/one") == expected
    assert store.measure("sources/one") == expected
    source = store.open_source("sources/one")
    assert os.pread(source.fd, len(data) + 1, 0) == data
    source.close()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("size_bytes", [5, 9 * 1024 * 1024])
def test_other_bytes_than_were_put_there_are_not_passed_on(store, size_bytes) -> None:
    """A bucket may be written to by others; what was put there says what it should be."""
    digest = hashlib.sha256(b"right").hexdigest()
    obstore.put(store._bucket, KEY, bytes(size_bytes), attributes={"sha256": digest})

    for ask in (store.read, store.open_source):
        with pytest.raises(MediaUnavailableError, match="not what was put there"):
            ask(KEY)
    assert store.measure(KEY) == (size_bytes, hashlib.sha256(bytes(size_bytes)).digest())


def test_what_another_program_put_there_is_read_as_it_is(store) -> None:
    obstore.put(store._bucket, KEY, b"copied")

    assert store.read(KEY) == b"copied"
    assert store.finish(UPLOAD, KEY) == (6, hashlib.sha256(b"copied").digest())


def test_a_link_gives_the_file_under_its_name_for_a_while(store) -> None:
    store.staging.append(UPLOAD, 0, b"sound")
    store.finish(UPLOAD, "sources/one", filename='Été "d\'or".wav')

    with urlopen(store.locate("sources/one")) as answer:
        assert answer.read() == b"sound"
        name = "attachment; filename*=UTF-8''%C3%89t%C3%A9%20%22d%27or%22.wav"
        assert answer.headers["Content-Disposition"] == name
    with pytest.raises(MediaNotFoundError):
        store.locate("sources/two")
    with pytest.raises(InvalidKeyError):
        store.locate("uploads/one")


def test_a_link_is_signed_for_where_browsers_find_the_bucket(bucket, tmp_path: Path) -> None:
    """The test's server takes any signature, so the field's own library signs the same once more."""
    public = "https://media.example.org"
    store = S3MediaStore(bucket.described(public_endpoint=public), tmp_path)
    store.put("sources/one", b"sound")

    url = store.locate("sources/one")
    given = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert url.startswith(f"{public}/{bucket.name}/veza/sources/one?")
    assert given["X-Amz-Expires"] == str(LINK_SECONDS)
    request = AWSRequest("GET", url.partition("?")[0])
    request.context["timestamp"] = given["X-Amz-Date"]
    auth = S3SigV4QueryAuth(Credentials("id", "secret"), "s3", "us-east-1", LINK_SECONDS)
    auth._modify_request_before_signing(request)
    to_sign = auth.string_to_sign(request, auth.canonical_request(request))
    assert given["X-Amz-Signature"] == auth.signature(to_sign, request)


class Full(BaseHTTPRequestHandler):
    """A bucket without room, as MinIO and Ceph say it."""

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(HTTPStatus.INSUFFICIENT_STORAGE)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass


def test_a_bucket_without_room_is_a_full_disk(bucket, tmp_path: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), Full)
    serving = Thread(target=server.serve_forever, args=(0.05,))
    serving.start()
    try:
        endpoint = f"http://127.0.0.1:{server.server_port}"
        store = S3MediaStore(bucket.described(endpoint=endpoint), tmp_path)
        with pytest.raises(StorageFullError):
            store.put(KEY, b"bytes")
        store.staging.append(UPLOAD, 0, b"bytes")
        with pytest.raises(StorageFullError):
            store.finish(UPLOAD, "sources/one")
    finally:
        server.shutdown()
        serving.join()
        server.server_close()

    assert store.staging.path(UPLOAD).read_bytes() == b"bytes"


def test_no_secret_is_in_what_is_said_of_a_bucket(bucket) -> None:
    described = bucket.described(secret_access_key="s3cr3t")
    assert "s3cr3t" not in repr(described)
