"""Messages to the gateway's log, tagged with the policy, the route and the trace. Needs ``"log"`` among the imports of ``manifest.json``::

    from tollgate_filter import log

    log.info("let through", consumer="amy")
"""

from __future__ import annotations

from typing import Any

from .gateway import interface

_log = interface("log")


def error(message: str, **attributes: Any) -> None:
    """Something is broken."""
    _write("ERROR", message, attributes)


def warn(message: str, **attributes: Any) -> None:
    """Something is not as it should be."""
    _write("WARN", message, attributes)


def info(message: str, **attributes: Any) -> None:
    """Something that operators want to know."""
    _write("INFO", message, attributes)


def debug(message: str, **attributes: Any) -> None:
    """Something that authors want to know."""
    _write("DEBUG", message, attributes)


def _write(level: str, message: str, attributes: dict[str, Any]) -> None:
    pairs = [_log.Attribute(name, str(value)) for name, value in attributes.items()]
    _log.write(getattr(_log.Level, level), message, pairs)
