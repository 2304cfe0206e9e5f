"""What a label queue refuses, and why: each a :class:`~autoscope.core.LabelError` with one sentence."""

from __future__ import annotations

from autoscope.core import LabelError


class QueueError(LabelError):
    """The queue cannot be opened or reached: its file, its server, or its version."""


class UnknownRequest(LabelError):  # noqa: N818 (the agreed name)
    """No request has this number.

    Attributes:
        request_id: the number that was asked for.
    """

    def __init__(self, request_id: int) -> None:
        self.request_id = request_id
        super().__init__(f"the queue has no request {request_id}")


class LeaseExpired(LabelError):  # noqa: N818 (the agreed name)
    """A lease ended before what was asked of it: by time, by an answer, by giving the request back."""


class MaskError(LabelError):
    """A mask does not fit its request: its size, its kind, or a class that the request does not have."""


class ExpertError(LabelError):
    """A name that no expert can have."""
