"""Rate limits that hold across all workers. Needs ``"limiter"`` among the imports of ``manifest.json``::

    from tollgate_filter import limiter

    decision = limiter.take(key, limiter.Limit(requests=10, period=1, burst=20))
"""

from __future__ import annotations

from dataclasses import dataclass

from .answers import encoded
from .gateway import interface, milliseconds

_limiter = interface("limiter")


@dataclass(frozen=True)
class Limit:
    """So many requests in each period of seconds on average, and so many at once."""

    requests: int
    period: float
    burst: int


@dataclass(frozen=True)
class Decision:
    """Whether a request is within the limit; one that is not does not count. Times are in seconds."""

    allowed: bool
    remaining: int
    """How many more would be allowed right now."""
    retry_after: float
    """Until a request of the same cost is allowed; 0 if this one was."""
    reset_after: float
    """Until the whole burst is available again."""


def take(key: str | bytes, limit: Limit, cost: int = 1) -> Decision:
    """Counts a request against a key, which is private to the policy."""
    bounds = _limiter.Limit(limit.requests, max(1, milliseconds(limit.period)), limit.burst)
    made = _limiter.take(encoded(key), bounds, cost)
    return Decision(made.allowed, made.remaining, made.retry_after_ms / 1000, made.reset_after_ms / 1000)
