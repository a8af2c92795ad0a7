"""Compressed answers, taken apart by other people's decoders: they hold what raw ones hold."""

import io
import json
import sqlite3
import threading
import zlib

import pytest
import zstandard

from load import Writer
from wire import PAGE_SIZE, Peer, PullRequest, Refused, read_pull_answer

ENCODINGS = ("raw", "gzip", "zstd", "pages")


def decode_zstd(body):
    reader = zstandard.ZstdDecompressor().stream_reader(
        io.BytesIO(body), read_across_frames=True)
    return reader.read()


def decode_gzip(body):
    """One member and nothing behind it: browsers read no further."""
    decoder = zlib.decompressobj(31)
    content = decoder.decompress(body) + decoder.flush()
    assert decoder.eof and decoder.unused_data == b""
    return content


def decode_body(headers, body):
    coding = headers.get("Content-Encoding")
    return {None: bytes, "gzip": decode_gzip, "zstd": decode_zstd}[coding](body)


def page_decoder(replica):
    """Decompresses pages with a dictionary of what the replica has, by page id."""
    decoders = {}

    def decompress(page, dictionary):
        if dictionary not in decoders:
            content = b"".join(replica[page_id] for page_id in dictionary)
            decoders[dictionary] = zstandard.ZstdDecompressor(
                dict_data=zstandard.ZstdCompressionDict(
                    content, dict_type=zstandard.DICT_TYPE_RAWCONTENT))
        return decoders[dictionary].decompress(page)

    return decompress


def pull(peer, encoding, client_revision="", replica=None):
    """An answer, and how many bytes it took."""
    request = PullRequest(client_revision=client_revision, encoding=int(encoding == "pages"))
    accepted = encoding if encoding in ("gzip", "zstd") else "application/protobuf"
    status, headers, body = peer.request(
        "POST", "/pull-updates", request.encode(), {"Accept-Encoding": accepted})
    if status != 200:
        raise Refused(status, body)
    assert headers.get("Transfer-Encoding") == "chunked"
    assert "accept-encoding" in headers.get("Vary", "")
    expected = encoding if encoding in ("gzip", "zstd") else None
    assert headers.get("Content-Encoding") == expected
    content = decode_body(headers, body)
    if encoding == "pages":
        return read_pull_answer(content, page_decoder(replica or {})), len(body)
    return read_pull_answer(content), len(body)


@pytest.fixture
def writer(server):
    """A database of more than three chunks of 256 pages."""
    writer = Writer(server.url)
    writer.create()
    writer.peer.sql(
        "INSERT INTO items SELECT value, value % 97, "
        "printf('%.*c customer %d', 700 + value % 300, 'x', value * 7919 % 1000) "
        "FROM generate_series(1, 4000)")
    writer.highest = 4000
    assert writer.pages() > 3 * 256
    return writer


def test_all_encodings_hold_the_same(server, peer, writer):
    expected, size = pull(peer, "raw")
    for _ in range(2):  # The second time from what was kept.
        for encoding in ENCODINGS:
            answer, compressed = pull(peer, encoding)
            assert answer.pages == expected.pages and answer.revision == expected.revision
            assert answer.dictionary == ()
            assert encoding == "raw" or compressed < size / 3
    assert server.statistics()["cache_bytes"] > size


def test_only_what_changed_is_made_again(server, peer, writer):
    for encoding in ENCODINGS:
        pull(peer, encoding)
    before = server.statistics()["cache_bytes"]
    peer.sql("UPDATE items SET n = n + 1 WHERE id = 2000")
    expected, _ = pull(peer, "raw")
    for encoding in ENCODINGS:
        assert pull(peer, encoding)[0].pages == expected.pages
    assert before < server.statistics()["cache_bytes"] < before * 2


def change_some_rows(peer, number):
    peer.sql("UPDATE items SET v = substr(v, 2) || 'y', n = n + 1 WHERE id % 211 = ?", number)


def test_increments_are_small_beside_what_the_replica_has(stopped_server):
    stopped_server.arguments = ["--min-checkpoint-page-count=1000000"]
    stopped_server.start()
    writer = Writer(stopped_server.url)
    writer.create()
    writer.fill(3000)  # Of blobs that cannot be compressed.
    peer = writer.peer
    replica, _ = pull(peer, "raw")
    for number in range(10):
        peer.sql("UPDATE items SET n = n + 1 WHERE id % 211 = ?", number)
        expected, size = pull(peer, "raw", replica.revision)
        for encoding in ("gzip", "zstd"):
            assert pull(peer, encoding, replica.revision)[0].pages == expected.pages
        answer, compressed = pull(peer, "pages", replica.revision, replica.pages)
        assert answer.pages == expected.pages and compressed < size / 8
        assert 0 < len(answer.dictionary) <= 256
        assert set(answer.dictionary) <= set(expected.pages)
        replica.pages.update(expected.pages)
        replica.revision = expected.revision


def test_there_is_no_dictionary_once_a_checkpoint_went_past_the_replica(peer, writer):
    replica, _ = pull(peer, "raw")
    change_some_rows(peer, 5)
    peer.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    expected, size = pull(peer, "raw", replica.revision)
    answer, compressed = pull(peer, "pages", replica.revision)
    assert answer.pages == expected.pages and compressed < size / 2
    assert answer.dictionary == ()


def test_a_schema_page_alone_has_no_dictionary(peer, writer):
    replica, _ = pull(peer, "raw")
    peer.sql("PRAGMA user_version = 7")
    answer, _ = pull(peer, "pages", replica.revision, replica.pages)
    assert answer.dictionary == () and list(answer.pages) == [0]


def assert_sound(answer):
    database = sqlite3.connect(":memory:")
    image = bytearray(b"".join(answer.pages[page_id] for page_id in range(answer.db_size)))
    image[18:20] = b"\x01\x01"  # Not in WAL mode: there is no file.
    database.deserialize(bytes(image))
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()


def test_encodings_hold_the_same_beside_writers_and_checkpoints(stopped_server):
    stopped_server.arguments = ["--min-checkpoint-page-count=50"]
    stopped_server.start()
    writer = Writer(stopped_server.url)
    writer.create()
    writer.fill(3000)
    is_over = threading.Event()

    def write():
        for _ in range(6):
            writer.commits(30)
        writer.shrink(keep_one_in=4)
        writer.fill(1500)
        is_over.set()

    seen = {}
    failures = []

    def read(encoding):
        peer = Peer(stopped_server.url)
        try:
            count = 0
            while count < 3 or not is_over.is_set():
                answer, _ = pull(peer, encoding)
                known = seen.setdefault(answer.revision, answer.pages)
                assert known == answer.pages, f"two contents of {answer.revision}"
                if known is answer.pages:
                    assert_sound(answer)
                count += 1
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read, args=(encoding,)) for encoding in ENCODINGS]
    threads.append(threading.Thread(target=write))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert not failures, failures[0]
    assert is_over.is_set() and len(seen) > 5


@pytest.mark.parametrize(
    "accepted, coding",
    [
        ("zstd", "zstd"),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd;q=0.5, gzip;q=0.8", "gzip"),
        ("ZSTD ; Q=1.000", "zstd"),
        ("x-gzip", "gzip"),
        ("gzip;q=0.001", "gzip"),
        ("zstd;q=0", None),
        ("identity, zstd;q=0.5", None),
        ("application/protobuf", None),
        ("*", None),
        ("zstd;q=2", None),
        ("zstd;level=3", None),
        ("", None),
    ],
)
def test_a_client_chooses_the_coding(peer, writer, accepted, coding):
    status, headers, body = peer.request(
        "POST", "/pull-updates", b"", {"Accept-Encoding": accepted})
    assert (status, headers.get("Content-Encoding")) == (200, coding)
    assert len(read_pull_answer(decode_body(headers, body)).pages) > 768


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_other_answers_are_compressed_too(server, peer, writer, coding):
    accept = {"Accept-Encoding": coding}
    request = {"requests": [{"type": "execute", "stmt": {"sql": "SELECT * FROM items"}}]}
    body = json.dumps(request).encode()
    _, plain_headers, plain = peer.request("POST", "/v2/pipeline", body)
    status, headers, answer = peer.request("POST", "/v2/pipeline", body, accept)
    assert status == 200 and headers["Content-Encoding"] == coding
    assert len(answer) < len(plain) / 3
    assert (json.loads(decode_body(headers, answer))["results"][0]["response"]["result"]["rows"]
            == json.loads(plain)["results"][0]["response"]["result"]["rows"])
    assert plain_headers["Vary"] == "accept-encoding"

    small = json.dumps({"requests": [{"type": "execute", "stmt": {"sql": "SELECT 1"}}]}).encode()
    _, headers, answer = peer.request("POST", "/v2/pipeline", small, accept)
    assert headers.get("Content-Encoding") is None and json.loads(answer)["results"]

    admin = Peer(server.admin)
    path = "/v1/namespaces/default/export"
    _, _, plain = admin.request("GET", path)
    _, headers, answer = admin.request("GET", path, headers=accept)
    assert headers["Content-Encoding"] == coding
    assert decode_body(headers, answer) == plain and len(plain) % PAGE_SIZE == 0


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_requests_may_be_compressed(peer, writer, coding):
    request = {"requests": [{"type": "execute", "stmt": {"sql": "SELECT 42 AS x"}}]}
    body = json.dumps(request).encode()
    compressor = zlib.compressobj(wbits=31)
    coded = (zstandard.ZstdCompressor().compress(body) if coding == "zstd"
             else compressor.compress(body) + compressor.flush())
    status, _, answer = peer.request(
        "POST", "/v2/pipeline", coded, {"Content-Encoding": coding})
    assert status == 200 and b'"42"' in answer
