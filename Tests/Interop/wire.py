"""A second implementation of the pull and SQL protocols, independent of the server's and of the
client's: protobuf, roaring bitmaps and answers are written out by hand, and every rule of an
answer's form that the protocol document states is checked on every answer.

Standard library only: the crash test uses it too.
"""

import base64
import http.client
import json
import struct
import urllib.parse
from dataclasses import dataclass, field

PAGE_SIZE = 4096

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class ProtocolViolation(AssertionError):
    """The server's answer breaks a rule of the protocol."""


class Refused(Exception):
    """The server answered with another status than 200."""

    def __init__(self, status, body):
        super().__init__(f"status {status}: {body[:300]!r}")
        self.status = status
        self.body = body


class SQLFailure(Exception):
    """A statement failed on the server; `message` and `code` are what the server said."""

    def __init__(self, message, code):
        super().__init__(f"{code}: {message}")
        self.message = message
        self.code = code


# Protobuf


def varint(value):
    """`value` as a base-128 varint."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def varint_field(number, value):
    return varint(number << 3 | VARINT) + varint(value)


def bytes_field(number, value):
    return varint(number << 3 | BYTES) + varint(len(value)) + value


def read_varint(data, offset):
    """The varint at `offset`, and the offset after it."""
    value = shift = 0
    while True:
        if offset >= len(data):
            raise ProtocolViolation("a varint is cut short")
        byte = data[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, offset
        shift += 7
        if shift > 63:
            raise ProtocolViolation("a varint is longer than ten bytes")


def read_message(data):
    """The fields of a message, by number; each a list, as a field may be repeated."""
    fields = {}
    offset = 0
    while offset < len(data):
        key, offset = read_varint(data, offset)
        number, wire_type = key >> 3, key & 7
        if wire_type == VARINT:
            value, offset = read_varint(data, offset)
        elif wire_type == BYTES:
            size, offset = read_varint(data, offset)
            value = data[offset : offset + size]
            offset += size
            if len(value) != size:
                raise ProtocolViolation("a field is cut short")
        else:
            raise ProtocolViolation(f"unexpected wire type {wire_type}")
        fields.setdefault(number, []).append(value)
    return fields


def roaring_bitmap(page_ids):
    """A portable RoaringBitmap of `page_ids`, in array and bitmap containers."""
    containers = {}
    for page_id in sorted(set(page_ids)):
        containers.setdefault(page_id >> 16, []).append(page_id & 0xFFFF)
    head = struct.pack("<II", 12346, len(containers))
    for key, values in containers.items():
        head += struct.pack("<HH", key, len(values) - 1)
    bodies = []
    for values in containers.values():
        if len(values) <= 4096:
            bodies.append(struct.pack(f"<{len(values)}H", *values))
        else:
            bits = bytearray(8192)
            for value in values:
                bits[value >> 3] |= 1 << (value & 7)
            bodies.append(bytes(bits))
    offset = len(head) + 4 * len(containers)
    for body in bodies:
        head += struct.pack("<I", offset)
        offset += len(body)
    return head + b"".join(bodies)


# Pulls


@dataclass
class PullRequest:
    """A `PullUpdatesReq`; a field left at its default is not sent."""

    server_revision: str = ""
    client_revision: str = ""
    long_poll_timeout_ms: int = 0
    pages: object = None  # Page ids to ask for, or None for all.
    encoding: int = 0  # RAW; 1 is ZSTD.

    def encode(self):
        encoded = varint_field(1, self.encoding) if self.encoding else b""
        if self.server_revision:
            encoded += bytes_field(2, self.server_revision.encode())
        if self.client_revision:
            encoded += bytes_field(3, self.client_revision.encode())
        if self.long_poll_timeout_ms:
            encoded += varint_field(4, self.long_poll_timeout_ms)
        if self.pages is not None:
            encoded += bytes_field(5, roaring_bitmap(self.pages))
        return encoded


@dataclass
class PullAnswer:
    """A decoded answer: `db_size` in pages, `pages` from page id (0-based) to page."""

    revision: str
    db_size: int
    pages: dict = field(default_factory=dict)
    dictionary: tuple = ()  # Page ids; of compressed pages only.


def read_packed(data):
    """The numbers of a packed repeated field."""
    numbers, offset = [], 0
    while offset < len(data):
        number, offset = read_varint(data, offset)
        numbers.append(number)
    return numbers


def read_pull_answer(body, decompress=None):
    """Decodes a whole answer and holds it to the rules of its form.

    `decompress(page, dictionary page ids)` is given if compressed pages were asked for.
    """
    messages = []
    offset = 0
    while offset < len(body):
        size, offset = read_varint(body, offset)
        message = body[offset : offset + size]
        offset += size
        if len(message) != size:
            raise ProtocolViolation("the answer ends inside a message")
        messages.append(message)
    if not messages:
        raise ProtocolViolation("the answer has no header message")
    header = read_message(messages[0])
    if not header.get(1, [b""])[0]:
        raise ProtocolViolation("the header has no revision")
    dictionary = ()
    if decompress is None:
        if header.get(3) != [b""] or 4 in header:
            raise ProtocolViolation(f"the encoding is not raw_encoding alone: {header}")
    else:
        if 3 in header or len(header.get(4, [])) != 1:
            raise ProtocolViolation(f"the encoding is not zstd_encoding alone: {header}")
        dictionary = tuple(read_packed(read_message(header[4][0]).get(2, [b""])[0]))
    if header.get(5, [0]) != [0] or header.get(6, [0]) != [0] or header.get(8) != [1]:
        raise ProtocolViolation(f"not an incremental stream of pages: {header}")
    answer = PullAnswer(
        revision=header[1][0].decode(), db_size=header.get(2, [0])[0], dictionary=dictionary
    )
    last = -1
    for message in messages[1:]:
        fields = read_message(message)
        page_id, page = fields.get(1, [0])[0], fields[2][0]
        if page_id <= last or page_id >= answer.db_size:
            raise ProtocolViolation(f"page {page_id} after {last}, of {answer.db_size} pages")
        if decompress is not None:
            page = decompress(page, dictionary)
        if len(page) != PAGE_SIZE:
            raise ProtocolViolation(f"page {page_id} has {len(page)} bytes")
        last = page_id
        answer.pages[page_id] = page
    return answer


# SQL values


def encode_value(value):
    """A Python value as a Hrana value."""
    if value is None:
        return {"type": "null"}
    if isinstance(value, int):
        return {"type": "integer", "value": str(value)}
    if isinstance(value, float):
        return {"type": "float", "value": value}
    if isinstance(value, str):
        return {"type": "text", "value": value}
    return {"type": "blob", "base64": base64.b64encode(value).decode().rstrip("=")}


def decode_value(value):
    """A Hrana value as a Python value, held to the forms that clients can read."""
    kind = value["type"]
    if kind == "null":
        return None
    if kind == "integer":
        if not isinstance(value["value"], str):
            raise ProtocolViolation("an integer is not a JSON string")
        return int(value["value"])
    if kind == "float":
        return value["value"]
    if kind == "text":
        return value["value"]
    if kind == "blob":
        if value["base64"].endswith("="):
            raise ProtocolViolation("a blob is padded")
        return base64.b64decode(value["base64"] + "=" * (-len(value["base64"]) % 4))
    raise ProtocolViolation(f"unknown value type {kind}")


def statement(sql, arguments=(), want_rows=True):
    """A statement object as clients send it."""
    return {
        "sql": sql,
        "sql_id": None,
        "args": [encode_value(argument) for argument in arguments],
        "named_args": [],
        "want_rows": want_rows,
        "replication_index": None,
    }


class Peer:
    """A client of one database at `url`.

    With `keep_alive` it holds one connection and must stay on one thread. Every socket operation
    times out after `timeout` seconds, so a server that hangs fails a test.
    """

    def __init__(self, url, headers=None, keep_alive=False, timeout=30.0):
        parts = urllib.parse.urlsplit(url)
        self.address = (parts.hostname, parts.port)
        self.prefix = parts.path.rstrip("/")
        self.headers = dict(headers or {})
        self.keep_alive = keep_alive
        self.timeout = timeout
        self.connection = None

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def request(self, method, path, body=None, headers=None):
        """Status, headers and body of one exchange."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection(*self.address, timeout=self.timeout)
        try:
            self.connection.request(
                method, self.prefix + path, body, {**self.headers, **(headers or {})}
            )
            response = self.connection.getresponse()
            answer = response.status, response.headers, response.read()
        except BaseException:
            self.close()
            raise
        if not self.keep_alive:
            self.close()
        return answer

    def pull(self, request=None):
        """One pull; without a request, the full bootstrap with its empty body."""
        body = request.encode() if request else b""
        status, headers, answer = self.request(
            "POST",
            "/pull-updates",
            body,
            {"Content-Type": "application/protobuf", "Accept-Encoding": "application/protobuf"},
        )
        if status != 200:
            raise Refused(status, answer)
        # A cut body with a Content-Length passes for a whole one with some clients.
        if headers.get("Transfer-Encoding", "").lower() != "chunked":
            raise ProtocolViolation("the answer is not chunked")
        if headers.get("Content-Encoding"):
            raise ProtocolViolation("the answer has a content encoding that nobody offered")
        return read_pull_answer(answer)

    def pipeline(self, requests):
        """The results of one `/v2/pipeline` request."""
        return self.stream(None, requests)[1]

    def stream(self, baton, requests):
        """The next baton and the results of a `/v2/pipeline` request on the stream of `baton`."""
        status, _, answer = self.request(
            "POST",
            "/v2/pipeline",
            json.dumps({"baton": baton, "requests": requests}).encode(),
            {"Content-Type": "application/json"},
        )
        if status != 200:
            raise Refused(status, answer)
        answer = json.loads(answer)
        results = answer["results"]
        if len(results) != len(requests):
            raise ProtocolViolation(f"{len(results)} results for {len(requests)} requests")
        return answer["baton"], results

    def sql(self, text, *arguments):
        """Runs one statement and returns its rows."""
        result = self.pipeline([{"type": "execute", "stmt": statement(text, arguments)}])[0]
        if result["type"] != "ok":
            raise SQLFailure(result["error"]["message"], result["error"]["code"])
        rows = result["response"]["result"]["rows"]
        return [tuple(decode_value(value) for value in row) for row in rows]

    def batch(self, steps):
        """Runs a batch of (condition, statement) and returns (step_results, step_errors)."""
        batch = {
            "steps": [{"condition": condition, "stmt": stmt} for condition, stmt in steps],
            "replication_index": None,
        }
        result = self.pipeline([{"type": "batch", "batch": batch}])[0]
        if result["type"] != "ok":
            raise SQLFailure(result["error"]["message"], result["error"]["code"])
        result = result["response"]["result"]
        return result["step_results"], result["step_errors"]
