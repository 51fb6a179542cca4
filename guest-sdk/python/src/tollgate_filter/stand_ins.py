"""What stands behind the gateway's interfaces in tests that run natively: enough to try a filter with, and no more. Names and types are
those of the interface."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import Enum
from types import SimpleNamespace
from typing import Any, Callable

from . import callout
from .gateway import Err, _StandIn

StoreError = Enum("StoreError", "DENIED READ_ONLY TOO_LARGE FULL NOT_A_COUNTER UNAVAILABLE")


@dataclass
class Offers:
    """What a filter finds, and what it has left there. Tests read and change it."""

    time: float = 1_700_000_000.0
    """Seconds since 1970, for the clock and for times to live; it stands still unless a test changes it."""
    stored: dict[tuple[str, bytes], bytes] = field(default_factory=dict)
    """Values by space (``""`` is the policy's own) and key."""
    spaces: set[str] = field(default_factory=set)
    """Shared spaces that the policy is granted."""
    answer_callout: Callable[[callout.Request], callout.Response | callout.Error] | None = None
    callouts: list[callout.Request] = field(default_factory=list)
    """The callouts that were made."""
    logged: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Levels, messages and attributes."""
    secrets: dict[str, bytes] = field(default_factory=dict)
    allowed: bool = True
    """What the limiter says."""
    metrics: dict[tuple[str, tuple[str, ...]], float] = field(default_factory=dict)
    """By name and labels; of a histogram the sum."""

    def install(self) -> None:
        """Puts this in the place of the gateway."""
        _StandIn.installed = {
            "callout": SimpleNamespace(send_all=self._send_all, Request=_Sent),
            "clock": SimpleNamespace(now=self._nanoseconds, monotonic=self._nanoseconds),
            "limiter": SimpleNamespace(take=self._take, Limit=lambda *bounds: bounds),
            "log": SimpleNamespace(write=self._log, Level=Enum("Level", "ERROR WARN INFO DEBUG"), Attribute=lambda *pair: pair),
            "metrics": _Metrics(self),
            "random": SimpleNamespace(get_bytes=os.urandom, get_u64=lambda: int.from_bytes(os.urandom(8), "big")),
            "secrets": SimpleNamespace(get=self.secrets.get),
            "store": _Store(self),
            "types": SimpleNamespace(Field=lambda name, value: SimpleNamespace(name=name, value=value)),
        }

    def _nanoseconds(self) -> int:
        return int(self.time * 1e9)

    def _take(self, key: bytes, limit: Any, cost: int) -> Any:
        return SimpleNamespace(allowed=self.allowed, remaining=0, retry_after_ms=0 if self.allowed else 1000, reset_after_ms=1000)

    def _log(self, level: Enum, message: str, attributes: list[tuple[str, str]]) -> None:
        self.logged.append((level.name.lower(), message, dict(attributes)))

    def _send_all(self, requests: list[_Sent]) -> list[Any]:
        return [self._send(request.shown()) for request in requests]

    def _send(self, request: callout.Request) -> Any:
        self.callouts.append(request)
        answer = self.answer_callout(request) if self.answer_callout else callout.Error("not-granted")
        if isinstance(answer, callout.Error):
            return Err(type("Error_" + answer.kind.title().replace("-", ""), (), {"value": str(answer)})())
        fields = [SimpleNamespace(name=name, value=value) for name, value in answer.fields]
        return SimpleNamespace(value=SimpleNamespace(status=answer.status, fields=fields, body=answer.body))


@dataclass
class _Sent:
    upstream: str
    method: str
    path: str
    authority: str | None
    fields: list[Any]
    body: bytes
    timeout_ms: int | None
    body_limit: int | None

    def shown(self) -> callout.Request:
        timeout = None if self.timeout_ms is None else self.timeout_ms / 1000
        shown = callout.Request(
            self.upstream, self.path, method=self.method, body=self.body, authority=self.authority, timeout=timeout, body_limit=self.body_limit
        )
        shown.fields = [(field.name, field.value) for field in self.fields]
        return shown


class _Store:
    def __init__(self, offers: Offers):
        self._offers = offers
        self._ends: dict[tuple[str, bytes], float] = {}
        self._leases: dict[tuple[str, bytes], tuple[int, float]] = {}
        self._tokens = 0

    def get(self, space: str, key: bytes) -> bytes | None:
        if space and space not in self._offers.spaces:
            raise Err(StoreError.DENIED)
        if not 1 <= len(key) <= 1024:
            raise Err(StoreError.TOO_LARGE)
        if self._ends.get((space, key), self._offers.time + 1) <= self._offers.time:
            self._offers.stored.pop((space, key), None)
            del self._ends[(space, key)]
        return self._offers.stored.get((space, key))

    def set(self, space: str, key: bytes, value: bytes, ttl_ms: int) -> None:
        self.get(space, key)
        if len(value) > 65536:
            raise Err(StoreError.TOO_LARGE)
        self._offers.stored[(space, key)] = value
        self._ends.pop((space, key), None)
        if ttl_ms:
            self._ends[(space, key)] = self._offers.time + ttl_ms / 1000

    def delete(self, space: str, key: bytes) -> bool:
        self.get(space, key)
        return self._offers.stored.pop((space, key), None) is not None

    def compare_and_swap(self, space: str, key: bytes, expected: bytes | None, value: bytes, ttl_ms: int) -> bool:
        if self.get(space, key) != expected:
            return False
        self.set(space, key, value, ttl_ms)
        return True

    def increment(self, space: str, key: bytes, by: int, ttl_ms: int) -> int:
        value = self.get(space, key)
        try:
            count = int(value or b"0") + by
        except ValueError:
            raise Err(StoreError.NOT_A_COUNTER) from None
        if value is None:
            self.set(space, key, b"%d" % count, ttl_ms)
        else:
            self._offers.stored[(space, key)] = b"%d" % count
        return count

    def acquire(self, space: str, key: bytes, ttl_ms: int) -> int | None:
        self.get(space, key)
        if self._leases.get((space, key), (0, 0.0))[1] > self._offers.time:
            return None
        self._tokens += 1
        self._leases[(space, key)] = (self._tokens, self._offers.time + ttl_ms / 1000)
        return self._tokens

    def renew(self, space: str, key: bytes, token: int, ttl_ms: int) -> bool:
        held, end = self._leases.get((space, key), (0, 0.0))
        if held != token or end <= self._offers.time:
            return False
        self._leases[(space, key)] = (token, self._offers.time + ttl_ms / 1000)
        return True

    def release(self, space: str, key: bytes, token: int) -> bool:
        held, end = self._leases.get((space, key), (0, 0.0))
        return held == token and self._leases.pop((space, key))[1] > self._offers.time


class _Metrics:
    Kind = Enum("Kind", "COUNTER GAUGE HISTOGRAM")
    Definition = staticmethod(lambda kind, name, *_: name)

    def __init__(self, offers: Offers):
        self._names: list[str] = []
        self._series: list[tuple[str, tuple[str, ...]]] = []
        self._values = offers.metrics

    def define(self, name: str) -> int:
        self._names.append(name)
        return len(self._names) - 1

    def get(self, metric: int, values: list[str]) -> int:
        self._series.append((self._names[metric], tuple(values)))
        return len(self._series) - 1

    def set(self, series: int, value: float) -> None:
        self._values[self._series[series]] = value

    def add(self, series: int, amount: float) -> None:
        self.set(series, self._values.get(self._series[series], 0) + amount)

    adjust = observe = add
