"""Requests of the filter's own, to upstreams that its policy was granted (``grants.callouts``).

Needs ``"callout"`` among the imports of ``manifest.json``. A call looks as if it blocked: the hook stands still until the response is
there, and the gateway serves others meanwhile. Not possible in the constructor of a filter and in ``on_end``::

    from tollgate_filter import callout

    verdict = callout.Request("auth", "/check", fields={"x-user": "amy"}).send()
"""

from __future__ import annotations

import json
from typing import Any, Iterable

from .answers import encoded
from .gateway import Err, GatewayError, interface, milliseconds
from .message import decoded

_callout = interface("callout")
_types = interface("types")

MAX_AT_ONCE = 16
"""How many requests ``all`` can send."""


class Error(GatewayError):
    """Why there is no response: ``not-granted``, ``invalid``, ``too-many``, ``unavailable``, ``connect``, ``timeout``, ``broken`` or
    ``too-large``."""

    reasons = {
        "not-granted": "the policy was not granted this upstream",
        "too-many": "too many callouts",
        "unavailable": "the upstream cannot take the callout now",
        "connect": "the upstream cannot be connected to",
        "timeout": "the upstream did not answer in time",
        "broken": "the upstream gave no valid response",
        "too-large": "the callout has too much content",
    }


class Response:
    """A response, whatever its status."""

    def __init__(self, status: int, body: str | bytes = b"", fields: dict[str, str | bytes] | Iterable[tuple[str, bytes]] = ()):
        self.status = status
        self.body = encoded(body)
        pairs = fields.items() if isinstance(fields, dict) else fields
        self.fields: list[tuple[str, bytes]] = [(name.lower(), encoded(value)) for name, value in pairs]

    def field(self, name: str) -> str | None:
        """The first header field of that name."""
        return next((decoded(value) for known, value in self.fields if known == name.lower()), None)

    def json(self) -> Any:
        """What its content says as JSON; a ``ValueError`` if it is none."""
        return json.loads(self.body)


class Request:
    """A request to an upstream; nothing happens before it is sent. ``timeout`` is in seconds."""

    def __init__(
        self,
        upstream: str,
        path: str,
        *,
        method: str = "GET",
        fields: dict[str, str | bytes] | None = None,
        body: str | bytes = b"",
        authority: str | None = None,
        timeout: float | None = None,
        body_limit: int | None = None,
    ):
        self.upstream = upstream
        self.path = path
        self.method = method
        self.fields: list[tuple[str, bytes]] = []
        self.body = encoded(body)
        self.authority = authority
        self.timeout = timeout
        self.body_limit = body_limit
        for name, value in (fields or {}).items():
            self.field(name, value)

    def field(self, name: str, value: str | bytes) -> Request:
        """Appends a header field, and returns the request itself."""
        self.fields.append((name.lower(), encoded(value)))
        return self

    def send(self) -> Response:
        """Sends it and waits for the whole response; an ``Error`` if there is none."""
        answer = all([self])[0]
        if isinstance(answer, Error):
            raise answer
        return answer


def all(requests: Iterable[Request]) -> list[Response | Error]:
    """Sends all requests at once, and waits for all of them: the answers come in the order of the requests. At most 16; of more, none is
    sent."""
    answers = _callout.send_all([_lowered(request) for request in requests])
    return [_error(answer.value) if isinstance(answer, Err) else _response(answer.value) for answer in answers]


def _lowered(request: Request) -> Any:
    fields = [_types.Field(name, value) for name, value in request.fields]
    timeout = None if request.timeout is None else milliseconds(request.timeout)
    return _callout.Request(
        request.upstream, request.method, request.path, request.authority, fields, request.body, timeout, request.body_limit
    )


def _response(response: Any) -> Response:
    return Response(response.status, response.body, [(field.name, field.value) for field in response.fields])


def _error(error: Any) -> Error:
    # Each case is a class of its own, such as `Error_NotGranted`.
    name = type(error).__name__.removeprefix("Error_")
    kind = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")
    return Error(kind, getattr(error, "value", None))
