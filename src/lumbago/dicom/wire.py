"""How the reading process and its limited child talk: length-prefixed JSON and raw bytes, never pickle.

A message is 4 bytes (length of the JSON), 8 bytes (length of the payload), both big-endian, then the two.
"""

import json
import struct
from collections.abc import Mapping
from io import BufferedIOBase
from typing import Any, Final

_PREFIX: Final = struct.Struct(">IQ")
MAX_JSON_BYTES: Final = 128 << 20
MAX_PAYLOAD_BYTES: Final = 1 << 30


class WireError(Exception):
    """The other side broke the protocol, or died while it spoke."""


def write_message(stream: BufferedIOBase, fields: Mapping[str, Any], payload: bytes | memoryview = b"") -> None:
    """Sends one message. NaN is no JSON: a ValueError here is our own fault."""
    text = json.dumps(fields, allow_nan=False).encode("ascii")
    stream.write(_PREFIX.pack(len(text), len(payload)))
    stream.write(text)
    if payload:
        stream.write(payload)
    stream.flush()


def _read_exactly(stream: BufferedIOBase, count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise WireError("ended in the middle of a message")
    return data


def read_message(stream: BufferedIOBase) -> tuple[dict[str, Any], bytes] | None:
    """The next message, or None when the other side has closed its end.

    Raises:
        WireError: cut off, larger than the limits, or no JSON object.
    """
    prefix = stream.read(_PREFIX.size)
    if not prefix:
        return None
    if len(prefix) != _PREFIX.size:
        raise WireError("ended in the middle of a message")
    json_bytes, payload_bytes = _PREFIX.unpack(prefix)
    if json_bytes > MAX_JSON_BYTES or payload_bytes > MAX_PAYLOAD_BYTES:
        raise WireError("announced a message beyond the limits")
    try:
        fields = json.loads(_read_exactly(stream, json_bytes))
    except ValueError as error:
        raise WireError("sent something else than JSON") from error
    if not isinstance(fields, dict):
        raise WireError("sent something else than a JSON object")
    return fields, _read_exactly(stream, payload_bytes)
