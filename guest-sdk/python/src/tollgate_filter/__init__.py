"""Filters for the Tollgate gateway.

A filter is a class: its constructor is given the policy's ``[config]``, and its methods are the hooks that the gateway calls.
Hooks that are not overridden are not called and cost nothing::

    from tollgate_filter import Filter, Interest, filter

    @filter
    class Stamp(Filter):
        def __init__(self, config):
            self.value = config["value"]

        def interest(self):
            return Interest(request=["x-stamp"])

        def on_request(self, request):
            if request.field("x-stamp") is None:
                request.set("x-stamp", self.value)

What the gateway offers are modules of this package, ``callout``, ``clock``, ``limiter``, ``log``, ``metrics``, ``random``, ``secrets`` and
``store``, each named in ``imports`` of ``manifest.json`` as well::

    from tollgate_filter import store

A hook that returns ``None`` lets the message go on. An exception is a fault: the operator reads it, and the client gets what the
policy's ``on-fault`` says. To answer the client, return a ``Reply``.
"""

from .answers import ABORT, HOLD, End, Replace, Reply
from .filter import Filter, Interest, filter
from .message import Piece, Request, Response, Trailers

__all__ = [
    "ABORT", "HOLD", "End", "Filter", "Interest", "Piece", "Replace", "Reply", "Request", "Response", "Trailers", "filter",
]
