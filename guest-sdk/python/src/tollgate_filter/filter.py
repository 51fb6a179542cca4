"""The class that an author derives from."""

from __future__ import annotations

from typing import Any

from .answers import End, Replace, Reply
from .message import Piece, Request, Response, Trailers

_filter: type[Filter] | None = None


class Interest:
    """What a filter wants to see, declared once: names of header fields in lower case, and facts such as ``:path`` or
    ``@client-address``, as the interface (types.wit) lists them."""

    def __init__(
        self,
        request: list[str] | tuple[str, ...] = (),
        response: list[str] | tuple[str, ...] = (),
        *,
        whole_request_body: bool = False,
        whole_response_body: bool = False,
        tick_ms: int = 0,
    ):
        self.request = [name.lower() if not name.startswith("@") else name for name in request]
        self.response = [name.lower() if not name.startswith("@") else name for name in response]
        self.whole_request_body = whole_request_body
        self.whole_response_body = whole_response_body
        self.tick_ms = tick_ms


class Filter:
    """A filter. The constructor is given the policy's ``[config]``; a ``ValueError`` from it is shown to whoever changed that, so let
    it name the key and the remedy. The gateway calls one hook at a time; hooks of different exchanges may alternate, so what belongs
    to one exchange goes into ``request.state``."""

    def __init__(self, config: dict[str, Any]):
        pass

    def interest(self) -> Interest:
        return Interest()

    def on_request(self, request: Request) -> Reply | Any | None:
        """Called once an exchange, with the request's head."""

    def on_request_body(self, request: Request, piece: Piece) -> Replace | Reply | End | Any | None:
        """Called for each piece of the request's body, and once with ``piece.last``; or once with the whole."""

    def on_request_trailers(self, request: Request, trailers: Trailers) -> Reply | Any | None:
        """Called once, after the last piece."""

    def on_response(self, response: Response) -> Reply | Any | None:
        """Called once an exchange, with the head of the final response."""

    def on_response_body(self, response: Response, piece: Piece) -> Replace | Reply | End | Any | None:
        """Called for each piece of the response's body, as ``on_request_body``."""

    def on_response_trailers(self, response: Response, trailers: Trailers) -> Reply | Any | None:
        """Called once, after the last piece."""

    def on_end(self, state: dict[str, Any]) -> None:
        """Called once for each exchange, whatever became of it, with what the hooks have left in ``state``."""

    def on_tick(self) -> None:
        """Called every ``tick_ms``, on an instance that sees no exchanges."""


HOOKS = (
    "on_request", "on_request_body", "on_request_trailers", "on_response", "on_response_body", "on_response_trailers", "on_end",
)


def implemented(kind: type[Filter]) -> list[bool]:
    """Which of ``HOOKS`` a filter overrides."""
    return [getattr(kind, name) is not getattr(Filter, name) for name in HOOKS]


def filter(kind: type[Filter]) -> type[Filter]:
    """Marks the class that is the filter of its module."""
    global _filter
    _filter = kind
    return kind


def registered() -> type[Filter]:
    if _filter is None:
        raise ValueError("no class is marked with @filter")
    return _filter
