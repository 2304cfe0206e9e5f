"""The card inside an exported model, and the session that runs it. Nothing here imports torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from autoscope.core import ConfigurationError, ModelError
from autoscope.perception.card import CARD_KEY, ModelCard, parse_card, refuse_what_is_no_model

PREPROCESSING_KEY = "autoscope.preprocessing"
INPUT, OUTPUT = "image", "scores"
ONNX_ENDING = ".onnx"


def facts(card: ModelCard) -> dict[str, str]:
    """What other programs need to know to use the exported network, as they find it in its metadata."""
    preprocessing = card.preprocessing
    told = {
        **preprocessing.model_dump(mode="json"),
        "order": "stretch the grey levels to [0, 1], subtract mean, divide by deviation",
        "multiple_of_px": card.architecture.stride_px,
        "layout": f"{INPUT}: batch x 1 x height x width float32; {OUTPUT}: batch x classes x height x width",
        "classes": list(card.classes),
    }
    return {CARD_KEY: card.to_json(indent=None), PREPROCESSING_KEY: json.dumps(told)}


def open_onnx(path: Path, *, threads: int = 0) -> tuple[Any, ModelCard]:
    """Opens an exported model.

    Args:
        path: the ``.onnx`` file.
        threads: that compute; 0: one for each core.

    Returns:
        The onnxruntime session, and the card.

    Raises:
        ModelError: the file is missing, damaged, or no model that autoscope exported.
        ConfigurationError: onnxruntime is not installed.
    """
    runtime = onnxruntime()
    refuse_what_is_no_model(path)
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    wrong = runtime.capi.onnxruntime_pybind11_state
    try:
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except (
        wrong.Fail, wrong.InvalidProtobuf, wrong.InvalidGraph, wrong.InvalidArgument, wrong.NotImplemented,
        wrong.NoModel, wrong.RuntimeException,
    ) as error:  # fmt: skip
        raise ModelError(
            f"{path}: the exported model is damaged or cut short: export it again (autoscope segment export)"
        ) from error
    text = session.get_modelmeta().custom_metadata_map.get(CARD_KEY)
    if text is None:
        raise ModelError(
            f"{path}: the network carries no autoscope model card: it was not written by 'autoscope segment"
            " export'"
        )
    return session, parse_card(text, path)


def onnxruntime() -> Any:
    """The library.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        import onnxruntime as runtime
    except ImportError as error:
        raise ConfigurationError(
            f"exported models run in onnxruntime, which cannot be imported ({error}):"
            " pip install 'autoscope[onnx]'"
        ) from error
    return runtime
