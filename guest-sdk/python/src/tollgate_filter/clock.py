"""What time it is, for policies with ``grants = { clock = true }``. Needs ``"clock"`` among the imports of ``manifest.json``."""

from .gateway import interface

_clock = interface("clock")


def now() -> float:
    """Seconds since 1970 by the machine's clock, which may jump."""
    return _clock.now() / 1e9


def now_ns() -> int:
    """The same in nanoseconds."""
    return _clock.now()


def monotonic() -> float:
    """Seconds since some moment, never going back: for measuring."""
    return _clock.monotonic() / 1e9
