"""Pictures of what the model looked at, made elsewhere, for the page."""

from __future__ import annotations

import base64
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExplainedField:
    """Why the model found a class on a field.

    Attributes:
        field: index of the field.
        class_name: the class.
        png: the picture.
        said: one sentence on it.
    """

    field: int
    class_name: str
    png: bytes
    said: str

    @property
    def source(self) -> str:
        """The picture as data URI."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()
