"""Random numbers that nobody can foresee, for policies with ``grants = { random = true }``. Needs ``"random"`` among the imports of
``manifest.json``. Not possible in the constructor of a filter."""

import builtins

from .gateway import interface

_random = interface("random")


def bytes(count: int) -> builtins.bytes:
    """So many random bytes, 1024 at most."""
    return _random.get_bytes(count)


def number() -> int:
    """A random number of 64 bits."""
    return _random.get_u64()
