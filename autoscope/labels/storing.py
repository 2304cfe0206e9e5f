"""Requests into the tables and out of them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, insert, select

from autoscope.core import LabelError
from autoscope.labels import tables
from autoscope.labels.errors import MaskError, UnknownRequest
from autoscope.labels.pictures import check_mask, png, uncertainty_levels
from autoscope.labels.values import Answer, NewRequest, RequestSummary

_LARGEST_CLASSES = 255


def request_row(new: NewRequest, now_s: float, lease_s: float, second_share: float) -> dict[str, Any]:
    """The row of a request, checked.

    Raises:
        LabelError: a value is not what it must be.
    """
    if not (0 < new.propensity <= 1 and math.isfinite(new.score)):
        raise LabelError(
            f"field {new.field}: a request needs a finite score and a propensity in (0, 1],"
            f" not {new.score:g} and {new.propensity:g}"
        )
    if not 2 <= len(new.class_names) <= _LARGEST_CLASSES:
        raise LabelError(f"a request needs 2 to {_LARGEST_CLASSES} classes, not {len(new.class_names)}")
    if new.frame.ndim != 2 or new.frame.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise LabelError(f"a frame is height x width of 8 or 16 bit, not {new.frame.shape} {new.frame.dtype}")
    height, width = new.frame.shape
    return {
        "session": new.session,
        "field": new.field,
        "x_um": new.x_um,
        "y_um": new.y_um,
        "created_s": now_s,
        "class_names": json.dumps(list(new.class_names)),
        "pixel_nm": new.pixel_nm,
        "height": height,
        "width": width,
        "model_sha256": new.model_sha256,
        "score": new.score,
        "propensity": new.propensity,
        "sampled": new.sampled,
        "state": "open",
        "answers": 0,
        "second_wanted": False,
        "lease_s": lease_s,
        "second_share": second_share,
    }


def picture_row(new: NewRequest) -> dict[str, Any]:
    """The pictures of a request as PNGs.

    Raises:
        MaskError: the prediction or the uncertainty does not fit the frame.
    """
    height, width = new.frame.shape
    check_mask(new.prediction, height, width, new.class_names)
    if new.uncertainty.shape != new.frame.shape:
        raise MaskError(f"the uncertainty is {new.uncertainty.shape}, its frame {new.frame.shape}")
    return {
        "frame_png": png(new.frame),
        "prediction_png": png(new.prediction),
        "uncertainty_png": png(uncertainty_levels(new.uncertainty)),
        "features": None if new.features is None else np.asarray(new.features, "<f4").tobytes(),
    }


def existing(connection: Connection, new: NewRequest) -> int | None:
    """The number of a request that was added before, so that adding it again after a kill adds nothing."""
    if new.field is None:
        return None
    rows = tables.requests.c
    found = connection.execute(
        select(rows.id).where(rows.session == new.session, rows.field == new.field)
    ).scalar_one_or_none()
    return None if found is None else int(found)


def store(connection: Connection, row: dict[str, Any], pictures: dict[str, Any]) -> int:
    """Writes a new request; returns its number."""
    result = connection.execute(insert(tables.requests).values(**row))
    key = result.inserted_primary_key
    request_id = int(key[0])  # type: ignore[index]
    connection.execute(insert(tables.pictures).values(request_id=request_id, **pictures))
    return request_id


def request_of(connection: Connection, request_id: int) -> RequestSummary:
    """One request.

    Raises:
        UnknownRequest: there is none of this number.
    """
    row = connection.execute(select(tables.requests).where(tables.requests.c.id == request_id)).one_or_none()
    if row is None:
        raise UnknownRequest(request_id)
    return summaries(connection, [row])[0]


def summaries(connection: Connection, rows: Iterable[Row[*tuple[Any, ...]]]) -> tuple[RequestSummary, ...]:
    """Rows of requests with the reasons why experts skipped them."""
    found = list(rows)
    leases = tables.leases.c
    reasons: dict[int, list[str]] = {}
    skips = (
        select(leases.request_id, leases.reason)
        .where(leases.outcome == "skipped", leases.request_id.in_([row.id for row in found]))
        .order_by(leases.id)
    )
    for request_id, reason in connection.execute(skips):
        reasons.setdefault(request_id, []).append(reason)
    return tuple(_summary(row, tuple(reasons.get(row.id, ()))) for row in found)


def _summary(row: Row[*tuple[Any, ...]], reasons: tuple[str, ...]) -> RequestSummary:
    return RequestSummary(
        id=row.id, session=row.session, field=row.field, x_um=row.x_um, y_um=row.y_um,
        created_s=row.created_s, class_names=tuple(json.loads(row.class_names)), pixel_nm=row.pixel_nm,
        height=row.height, width=row.width, model_sha256=row.model_sha256, score=row.score,
        propensity=row.propensity, sampled=row.sampled, state=row.state, answers=row.answers,
        second_opinion_wanted=row.second_wanted, skip_reasons=reasons,
    )  # fmt: skip


def features_of(data: bytes | None) -> NDArray[np.float32] | None:
    """What :func:`picture_row` stored of the features."""
    return None if data is None else np.frombuffer(data, "<f4").astype(np.float32)


def answer_columns() -> Any:
    """A query of everything in :class:`Answer`."""
    a, r = tables.answers.c, tables.requests.c
    return select(
        a.id, a.request_id, r.session, r.field, a.expert, a.answered_s, a.seconds, a.tool, a.started_from,
        r.model_sha256, a.mask_sha256, a.second_opinion,
    ).join_from(tables.answers, tables.requests)  # fmt: skip


def answer_of(row: Row[*tuple[Any, ...]]) -> Answer:
    """A row of :func:`answer_columns`."""
    return Answer(**row._mapping)
