"""Secrets by name, as the configuration's ``[secrets]`` has them, for policies that are granted them. Needs ``"secrets"`` among the
imports of ``manifest.json``."""

from __future__ import annotations

from .gateway import interface

_secrets = interface("secrets")


def get(name: str) -> bytes | None:
    """The secret as it is now; ``None`` if the policy is granted none of that name. Secrets are exchanged while the filter runs, so ask
    whenever one is needed."""
    return _secrets.get(name)
