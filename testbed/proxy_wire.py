"""HTTP/1.1 messages as they are transferred: heads as lines, bodies block by block, without reassembly."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader

BLOCK = 64 * 1024
HEAD_LIMIT = 1024 * 1024  # bytes of one line of a head: far above the API server's own limit


def read_head(reader: BufferedReader) -> list[bytes] | None:
    """Return the lines of a request's or an answer's head, without the empty one; None at the end of the connection."""
    lines: list[bytes] = []
    while True:
        line = reader.readline(HEAD_LIMIT)
        if line in (b"\r\n", b"\n"):
            if lines:
                return lines
        elif line.endswith(b"\n"):
            lines.append(line)
        elif not line and not lines:
            return None
        else:
            raise ConnectionResetError("the connection ended within a head")


def header_fields(head: list[bytes]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in head[1:]:
        name, _, value = line.decode("latin-1").partition(":")
        key = name.strip().lower()
        found[key] = f"{found[key]}, {value.strip()}" if key in found else value.strip()
    return found


def read_body(reader: BufferedReader, headers: dict[str, str]) -> tuple[bytes, bytes]:
    """Return a request's body as it was transferred, and its content."""
    if "chunked" in headers.get("transfer-encoding", "").lower():
        raw = list(chunks(reader))
        return b"".join(raw), b"".join(block for block in raw[1::3])
    length = int(headers.get("content-length") or 0)
    body = exactly(reader, length)
    return body, body


def bodiless(method: str, code: int) -> bool:
    return method == "HEAD" or code in (204, 304) or 100 <= code < 200


def until_close(headers: dict[str, str], method: str, code: int) -> bool:
    framed = "content-length" in headers or "chunked" in headers.get("transfer-encoding", "").lower()
    return not framed and not bodiless(method, code)


def body_blocks(reader: BufferedReader, headers: dict[str, str], method: str, code: int) -> Iterator[bytes]:
    """Yield an answer's body as it is transferred, block by block as it arrives."""
    if bodiless(method, code):
        return
    if "chunked" in headers.get("transfer-encoding", "").lower():
        # Size, data and end of a chunk are sent together, because a watcher waits for each.
        parts = []
        for number, part in enumerate(chunks(reader)):
            parts.append(part)
            if number % 3 == 2:
                yield b"".join(parts)
                parts = []
        yield b"".join(parts)
        return
    left = int(headers["content-length"]) if "content-length" in headers else None
    while left is None or left > 0:
        block = reader.read1(BLOCK if left is None else min(BLOCK, left))
        if not block:
            if left is not None:
                raise ConnectionResetError("the server closed the connection within a body")
            return
        left = None if left is None else left - len(block)
        yield block


def chunks(reader: BufferedReader) -> Iterator[bytes]:
    """Yield a chunked body as it is transferred: size line, data and end of line for each chunk, and then its end."""
    while True:
        size_line = reader.readline(HEAD_LIMIT)
        size = int(size_line.split(b";", 1)[0], 16)
        if size == 0:
            trailer = size_line
            while True:
                line = reader.readline(HEAD_LIMIT)
                trailer += line
                if line in (b"\r\n", b"\n"):
                    break
                if not line:
                    raise ConnectionResetError("the connection ended within a chunked body")
            yield trailer
            return
        yield size_line
        yield exactly(reader, size)
        yield exactly(reader, 2)


def exactly(reader: BufferedReader, size: int) -> bytes:
    data = reader.read(size) if size else b""
    if len(data) < size:
        raise ConnectionResetError("the connection ended within a body")
    return data
