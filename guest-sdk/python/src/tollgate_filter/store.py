"""State that outlives exchanges and instances, shared by all workers and, where the operator has chosen a store for several, by all
gateways: values, counters and leases by key.

Needs ``"store"`` among the imports of ``manifest.json``. Keys have 1 to 1024 bytes, values at most 65,536; times are in seconds, and 0 is
for good. Not possible in the constructor of a filter and in ``on_end``::

    from tollgate_filter import store

    if store.own().increment(key, ttl=3600) > 1:
        return Reply.problem(409, "Conflict")
"""

from __future__ import annotations

from typing import Any, Callable

from .answers import encoded
from .gateway import Err, GatewayError, interface, milliseconds

_store = interface("store")

_ATTEMPTS = 64
"""How often ``update`` tries before it gives up."""


class Error(GatewayError):
    """Why something came to nothing: ``denied``, ``read-only``, ``too-large``, ``full``, ``not-a-counter``, ``unavailable`` or ``busy``."""

    reasons = {
        "denied": "there is no such space, or the policy was not granted it; write it into `grants.store`",
        "read-only": "the policy may read the space, but not change it",
        "too-large": "the key or the value is longer than it may be, or the key is empty",
        "full": "there is no room for it in the space",
        "not-a-counter": "what stands there is no counter, or would be beyond 64 bits",
        "unavailable": "the store cannot be reached, or did not answer in time",
        "busy": "others changed the value each time before it could be swapped",
    }


def _call(function: Callable[..., Any], *args: Any) -> Any:
    try:
        return function(*args)
    except Err as error:
        raise Error(error.value.name.lower().replace("_", "-")) from None


class Lease:
    """A lease that this filter holds, for as long as its time lasts."""

    def __init__(self, space: str, key: bytes, token: int):
        self._of = (space, key, token)

    def renew(self, ttl: float) -> bool:
        """Has the lease for that time from now, if it still is this holder's. Says whether it is."""
        return _call(_store.renew, *self._of, max(1, milliseconds(ttl)))

    def release(self) -> bool:
        """Gives the lease back. Says whether it still was this holder's."""
        return _call(_store.release, *self._of)


class Space:
    """A space that keys are in."""

    def __init__(self, name: str):
        self._name = name

    def get(self, key: str | bytes) -> bytes | None:
        """The value of a key; ``None`` if there is none, or its time is over."""
        return _call(_store.get, self._name, encoded(key))

    def count(self, key: str | bytes) -> int:
        """What a counter is now, 0 if it is not there. Changes nothing."""
        value = self.get(key)
        try:
            return 0 if value is None else int(value)
        except ValueError:
            raise Error("not-a-counter") from None

    def set(self, key: str | bytes, value: str | bytes, ttl: float = 0) -> None:
        """Sets the value of a key, for that time."""
        _call(_store.set, self._name, encoded(key), encoded(value), milliseconds(ttl))

    def delete(self, key: str | bytes) -> bool:
        """Removes the value of a key. Says whether there was one."""
        return _call(_store.delete, self._name, encoded(key))

    def compare_and_swap(self, key: str | bytes, expected: str | bytes | None, value: str | bytes, ttl: float = 0) -> bool:
        """Sets the value of a key if its value is now the expected one; without one, if there is none. Says whether it has."""
        expected = None if expected is None else encoded(expected)
        return _call(_store.compare_and_swap, self._name, encoded(key), expected, encoded(value), milliseconds(ttl))

    def update(self, key: str | bytes, change: Callable[[bytes | None], str | bytes], ttl: float = 0) -> bytes:
        """Makes a new value of the one that is there and swaps it in, again if somebody else has changed it meanwhile; returns the new
        one. ``change`` may be called several times."""
        for _ in range(_ATTEMPTS):
            value = self.get(key)
            new = encoded(change(value))
            if self.compare_and_swap(key, value, new, ttl):
                return new
        raise Error("busy")

    def increment(self, key: str | bytes, by: int = 1, ttl: float = 0) -> int:
        """Adds to a counter, which is 0 where there is no value, and returns what it is then. The time counts from the call that makes
        the counter, and later calls leave it as it is."""
        return _call(_store.increment, self._name, encoded(key), by, milliseconds(ttl))

    def lease(self, key: str | bytes, ttl: float) -> Lease | None:
        """Takes the lease of a key for that time; ``None`` if somebody else has it. What is done under it must bear being done twice, as
        who is slow may lose it without noticing."""
        token = _call(_store.acquire, self._name, encoded(key), max(1, milliseconds(ttl)))
        return None if token is None else Lease(self._name, encoded(key), token)


def own() -> Space:
    """The policy's own space, which no other policy can reach."""
    return Space("")


def shared(name: str) -> Space:
    """A space that policies share. Denied unless the policy was granted it."""
    return Space(name)
