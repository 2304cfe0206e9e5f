"""The hash by which a record names the policy that made a decision."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping


def fingerprint(kind: str, parameters: Mapping[str, float | int | str]) -> str:
    """SHA-256 of a policy's kind and parameters, in hexadecimal."""
    text = json.dumps({"kind": kind, **parameters}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
