"""The tables of a label queue. Times are seconds since 1970; pictures are PNGs."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

SCHEMA_VERSION = 2
"""Counts up whenever an older autoscope could misread a queue."""

metadata = MetaData()

about = Table(
    "autoscope_queue",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
)

requests = Table(
    "label_requests",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("session", Text, nullable=False),
    Column("field", Integer),
    Column("x_um", Double),
    Column("y_um", Double),
    Column("created_s", Double, nullable=False),
    Column("class_names", Text, nullable=False),
    Column("pixel_nm", Double, nullable=False),
    Column("height", Integer, nullable=False),
    Column("width", Integer, nullable=False),
    Column("model_sha256", String(64), nullable=False),
    Column("score", Double, nullable=False),
    Column("propensity", Double, nullable=False),
    Column("sampled", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("answers", Integer, nullable=False),
    Column("second_wanted", Boolean, nullable=False),
    Column("lease_s", Double, nullable=False),
    Column("second_share", Double, nullable=False),
    UniqueConstraint("session", "field"),
    Index("label_requests_by_state", "state", "sampled", "score"),
    sqlite_autoincrement=True,
)

pictures = Table(
    "label_pictures",
    metadata,
    Column("request_id", ForeignKey("label_requests.id"), primary_key=True),
    Column("frame_png", LargeBinary, nullable=False),
    Column("prediction_png", LargeBinary, nullable=False),
    Column("uncertainty_png", LargeBinary, nullable=False),
    Column("features", LargeBinary),
)

experts = Table(
    "label_experts",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("registered_s", Double, nullable=False),
)

leases = Table(
    "label_leases",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("token", String(64), nullable=False, unique=True),
    Column("request_id", ForeignKey("label_requests.id"), nullable=False),
    Column("expert", ForeignKey("label_experts.name"), nullable=False, index=True),
    Column("began_s", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("second_opinion", Boolean, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    # The database itself refuses two leases of one request at a time.
    Index(
        "label_leases_one_active", "request_id", unique=True,
        sqlite_where=text("outcome = 'active'"), postgresql_where=text("outcome = 'active'"),
    ),
    sqlite_autoincrement=True,
)  # fmt: skip

answers = Table(
    "label_answers",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("request_id", ForeignKey("label_requests.id"), nullable=False, index=True),
    Column("lease_id", ForeignKey("label_leases.id"), nullable=False, unique=True),
    Column("expert", ForeignKey("label_experts.name"), nullable=False),
    Column("answered_s", Double, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("tool", String(100), nullable=False),
    Column("started_from", String(100), nullable=False),
    Column("second_opinion", Boolean, nullable=False),
    Column("mask_sha256", String(64), nullable=False),
    Column("mask_png", LargeBinary, nullable=False),
    UniqueConstraint("request_id", "expert"),
    sqlite_autoincrement=True,
)

effects = Table(
    "label_effects",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("session", Text, nullable=False, index=True),
    Column("quantity", Text, nullable=False),
    Column("class_name", Text, nullable=False),
    Column("answers", Integer, nullable=False),
    Column("estimate_before", Double, nullable=False),
    Column("low_before", Double),
    Column("high_before", Double),
    Column("estimate_after", Double, nullable=False),
    Column("low_after", Double),
    Column("high_after", Double),
    Column("covers", String(32), nullable=False),
    Column("note", Text, nullable=False),
    Column("time_s", Double, nullable=False),
    sqlite_autoincrement=True,
)
