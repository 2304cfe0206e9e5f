"""``autoscope segment export``."""

from __future__ import annotations

import argparse
import json

from autoscope.app.cli.main import OK


def run(options: argparse.Namespace) -> int:
    """Writes a model as ONNX, after comparing it with the original."""
    from autoscope.perception.onnx_export import export_onnx

    exported = export_onnx(options.model, options.output)
    if options.json:
        content = {
            "path": str(exported.path),
            "sha256": exported.card.sha256,
            "frames_compared": exported.frames,
            "largest_difference": exported.largest_difference,
        }
        print(json.dumps(content))
    else:
        print(
            f"{exported.path}: scores differ from the original's by at most"
            f" {exported.largest_difference:.1e} on {exported.frames} random frames"
        )
    return OK
