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


ABSENT = 0xFFFFFFFF
"""Stands for the end of a fact that the message does not have."""


class Message:
    """What requests and responses have in common. Most of what a hook costs is the interpreter's work in here, so facts stay in one buffer
    until a filter asks for them."""

    __slots__ = ("_data", "_ends", "_exchange", "_look_up", "_places", "edits", "released", "state")

    def __init__(
        self,
        data: bytes,
        ends: list[int],
        places: dict[str, int],
        state: dict[str, Any],
        look_up: Callable[[int, str], bytes | None],
        exchange: int = 0,
    ):
        self._data = data
        self._ends = ends
        self._places = places
        self._look_up = look_up
        self._exchange = exchange
        self.edits: list[Edit] = []
        self.released = False
        self.state = state
        """What the filter remembers of this exchange from hook to hook."""

    def field(self, name: str) -> str | None:
        """A header field or any other fact. Those that ``interest`` has not named, and all of them in body hooks, cost a call into
        the gateway, and need ``"exchange"`` among the imports of ``manifest.json``. Several fields of one name come joined by ``, ``."""
        place = self._places.get(name)
        if place is None:
            value = self.field_bytes(name)
            return None if value is None else value.decode("utf-8", "surrogateescape")
        end = self._ends[place]
        if end == ABSENT:
            return None
        return self._data[self._start(place) : end].decode("utf-8", "surrogateescape")

    def field_bytes(self, name: str) -> bytes | None:
        """The same as bytes, which need not be UTF-8."""
        place = self._places.get(name)
        if place is None:
            name = _name(name)
            place = self._places.get(name)
            if place is None:
                return self._look_up(self._exchange, name)
        end = self._ends[place]
        return None if end == ABSENT else self._data[self._start(place) : end]

    def _start(self, place: int) -> int:
        """Behind the nearest fact before that is not absent."""
        while place:
            place -= 1
            if self._ends[place] != ABSENT:
                return self._ends[place]
        return 0

    def set(self, name: str, value: str | bytes) -> None:
        """Replaces every field of that name, or sets a fact."""
        if isinstance(value, str):
            value = value.encode("utf-8", "surrogateescape")
        self.edits.append(("set", name if name[:1] == "@" else name.lower(), value))

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

    __slots__ = ()

    @property
    def method(self) -> str:
        return self.field(":method") or ""

    @property
    def path(self) -> str:
        return self.field(":path") or ""


class Response(Message):
    """A response."""

    __slots__ = ()

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
