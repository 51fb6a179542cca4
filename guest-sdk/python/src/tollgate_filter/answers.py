"""What hooks return. ``None`` lets a message, or a piece of it, go on."""

from __future__ import annotations

import json


def encoded(value: str | bytes) -> bytes:
    """Bytes as they stand in a message; what was no UTF-8 when it was read is as it was."""
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")


class Reply:
    """Answers the client, or takes the response's place."""

    def __init__(self, status: int, body: str | bytes = b"", fields: dict[str, str | bytes] | None = None):
        self.status = status
        self.body = encoded(body)
        self.fields: list[tuple[str, bytes]] = []
        for name, value in (fields or {}).items():
            self.field(name, value)

    @classmethod
    def problem(cls, status: int, title: str, detail: str | None = None) -> Reply:
        """A problem document (RFC 9457)."""
        document: dict[str, object] = {"status": status, "title": title}
        if detail is not None:
            document["detail"] = detail
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
        return cls(status, text, {"content-type": "application/problem+json"})

    def field(self, name: str, value: str | bytes) -> Reply:
        """Adds a header field, and returns the reply itself."""
        self.fields.append((name.lower(), encoded(value)))
        return self


class Replace:
    """These bytes go on in the place of the piece."""

    def __init__(self, content: str | bytes):
        self.content = encoded(content)


class End:
    """These bytes go on, and the body ends with them."""

    def __init__(self, content: str | bytes):
        self.content = encoded(content)


class _Constant:
    def __init__(self, name: str):
        self._name = name

    def __repr__(self) -> str:
        return self._name


HOLD = _Constant("HOLD")
"""The head waits until the body hook lets it go: from head hooks."""

ABORT = _Constant("ABORT")
"""The exchange is cut: from body and trailers hooks."""
