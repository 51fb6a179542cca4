"""A stand-in of the gateway, for tests that run where they are written. It knows heads and bodies, and, in ``offers``, a little of what
the gateway offers besides; the module itself is tested by ``tollgate filter test``."""

from __future__ import annotations

from typing import Any

from .answers import ABORT, HOLD, End, Replace, Reply, encoded
from .filter import Filter
from .message import Message, Piece, Request, Response, decoded
from .stand_ins import Offers


class Exchange:
    """What became of an exchange."""

    def __init__(self) -> None:
        self.reply: Reply | None = None
        self.forwarded: dict[str, str] = {}
        """The request's fields, and facts, as the upstream gets them."""
        self.response: dict[str, str] = {}
        self.request_body = b""
        self.response_body = b""


class TestGateway:
    """A configured filter. Its constructor raises what the filter's does."""

    __test__ = False

    def __init__(self, kind: type[Filter], config: dict[str, Any], offers: Offers | None = None):
        self.offers = offers or Offers()
        """What store, callouts, log and the others find, and what was left there."""
        self.offers.install()
        self.filter = kind(config)
        self.interest = self.filter.interest()

    def request(
        self,
        path: str = "/",
        *,
        method: str = "GET",
        fields: dict[str, str] | None = None,
        pieces: list[bytes] | None = None,
        status: int = 200,
        response_fields: dict[str, str] | None = None,
        response_pieces: list[bytes] | None = None,
    ) -> Exchange:
        """Takes one exchange through the hooks; ``pieces`` are those of a body."""
        exchange, state = Exchange(), {}
        facts = {":method": method, ":path": path, ":authority": "example.test", ":scheme": "http", "@client-address": "192.0.2.1"}
        head = self._head(facts, fields)
        exchange.reply = self._pass(head, state, exchange, "request", pieces or [])
        exchange.forwarded = {name: decoded(value) for name, value in head.items()}
        if exchange.reply is None:
            head = self._head({":status": str(status)}, response_fields)
            exchange.reply = self._pass(head, state, exchange, "response", response_pieces or [])
            exchange.response = {name: decoded(value) for name, value in head.items()}
        self.filter.on_end(state)
        return exchange

    @staticmethod
    def _head(facts: dict[str, str], fields: dict[str, str] | None) -> dict[str, bytes]:
        return {name.lower(): encoded(value) for name, value in {**facts, **(fields or {})}.items()}

    def _pass(self, head, state, exchange: Exchange, direction: str, pieces: list[bytes]) -> Reply | None:
        kind: type[Message] = Request if direction == "request" else Response
        hooks = (getattr(self.filter, f"on_{direction}"), getattr(self.filter, f"on_{direction}_body"))
        message = _message(kind, head, state)
        answer = hooks[0](message)
        _apply(message, head)
        if isinstance(answer, Reply):
            return answer
        if answer not in (None, HOLD):
            raise TypeError(f"a head hook cannot return {answer!r}")
        if getattr(self.interest, f"whole_{direction}_body") and pieces:
            pieces = [b"".join(pieces)]
        body = b""
        for number, piece in enumerate(pieces or ([b""] if answer is HOLD else [])):
            message = _message(kind, head, state)
            answer = hooks[1](message, Piece(piece, number + 1 >= len(pieces)))
            _apply(message, head)
            if isinstance(answer, Reply):
                return answer
            if answer is ABORT:
                raise ConnectionAbortedError("the filter has cut the exchange")
            body += piece if answer is None else answer.content if isinstance(answer, (Replace, End)) else encoded(answer)
            if isinstance(answer, End):
                break
        setattr(exchange, f"{direction}_body", body)
        return None


def _message(kind: type[Message], head: dict[str, bytes], state: dict[str, Any]) -> Message:
    """Facts are looked up, as if the interest named none."""
    return kind(b"", [], {}, state, lambda _, name: head.get(name))


def _apply(message: Message, head: dict[str, bytes]) -> None:
    for kind, name, value in message.edits:
        if kind == "remove":
            head.pop(name, None)
        elif kind == "add" and name in head:
            head[name] += b", " + value
        else:
            head[name] = value
