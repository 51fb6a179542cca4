"""The messages that hooks look at. Reads show them as they were when the hook was called; edits go back with its answer."""

from __future__ import annotations

from typing import Any, Callable, Iterator

from .answers import encoded

Edit = tuple[str, str, bytes]
"""``set``, ``add`` or ``remove``, a name and a value."""


def decoded(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


class Piece:
    """A piece of a body, or the whole."""

    __slots__ = ("content", "last")

    def __init__(self, content: bytes, last: bool):
        self.content = content
        self.last = last


class Message:
    """What requests and responses have in common."""

    def __init__(self, facts: dict[str, bytes | None], state: dict[str, Any], look_up: Callable[[str], bytes | None]):
        self._facts = facts
        self._look_up = look_up
        self.edits: list[Edit] = []
        self.released = False
        self.state = state
        """What the filter remembers of this exchange from hook to hook."""

    def field(self, name: str) -> str | None:
        """A header field or any other fact. Those that ``interest`` has not named, and all of them in body hooks, cost a call into
        the gateway, and need ``"exchange"`` among the imports of ``manifest.json``. Several fields of one name come joined by ``, ``."""
        value = self.field_bytes(name)
        return None if value is None else decoded(value)

    def field_bytes(self, name: str) -> bytes | None:
        name = _name(name)
        return self._facts[name] if name in self._facts else self._look_up(name)

    def set(self, name: str, value: str | bytes) -> None:
        """Replaces every field of that name, or sets a fact."""
        self.edits.append(("set", _name(name), encoded(value)))

    def add(self, name: str, value: str | bytes) -> None:
        """Appends a field and keeps those that are there."""
        self.edits.append(("add", _name(name), encoded(value)))

    def remove(self, name: str) -> None:
        """Removes every field of that name."""
        self.edits.append(("remove", _name(name), b""))

    def release(self) -> None:
        """Lets a head go that this filter holds, before the last piece of its body."""
        self.released = True


class Request(Message):
    """A request."""

    @property
    def method(self) -> str:
        return self.field(":method") or ""

    @property
    def path(self) -> str:
        return self.field(":path") or ""


class Response(Message):
    """A response."""

    @property
    def status(self) -> int:
        return int(self.field(":status") or 0)


class Trailers:
    """The trailers of a message."""

    def __init__(self, fields: list[tuple[str, bytes]]):
        self.fields = fields
        self.edits: list[Edit] = []

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        return iter(self.fields)

    def field(self, name: str) -> str | None:
        return next((decoded(value) for known, value in self.fields if known == name.lower()), None)

    set, add, remove = Message.set, Message.add, Message.remove


def _name(name: str) -> str:
    return name if name.startswith("@") else name.lower()
