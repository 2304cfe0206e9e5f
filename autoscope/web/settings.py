"""What a web server of autoscope is told at its start."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

MAX_JSON_BYTES = 64 * 1024
MAX_MASK_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Where a server listens and who may use it.

    Attributes:
        sessions: the folder whose session folders are shown, or one session folder.
        token: what every request must carry.
        host: address to listen on.
        port: port to listen on.
        experts: who may answer label requests; empty: whoever gives a name.
        guidelines: what each class is, in words, by class name.
        models: weights files and folders of them whose models may explain their predictions, beside those
            that come with autoscope and those that the sessions shown made themselves.
    """

    sessions: Path
    token: str
    host: str = "127.0.0.1"
    port: int = 8000
    experts: tuple[str, ...] = ()
    guidelines: dict[str, str] = field(default_factory=dict)
    models: tuple[Path, ...] = ()

    @property
    def link(self) -> str:
        """The address to open in a browser; it carries the token."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/?token={self.token}"
