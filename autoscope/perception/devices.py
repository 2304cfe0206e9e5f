"""Where a network runs, and with which numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch

from autoscope.core import ConfigurationError

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bfloat16"]


def choose_device(name: Device = "auto") -> torch.device:
    """The GPU when there is one, unless told otherwise.

    Raises:
        ConfigurationError: a GPU was asked for and there is none.
    """
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise ConfigurationError("device = 'cuda' was asked for, but torch finds no GPU here: use 'cpu'")
    return torch.device("cuda" if there and name != "cpu" else "cpu")


def choose_precision(device: torch.device, precision: Precision = "auto") -> torch.dtype:
    """bfloat16 where it is faster: on GPUs, and on processors with matrix units for it (AMX).

    Processors that have bfloat16 dot products but no matrix units gain nothing over float32: a U-Net
    with a ResNet-18 took 0.30 s against 0.18 s for 512 x 512 px on two such cores.
    """
    if precision != "auto":
        return torch.bfloat16 if precision == "bfloat16" else torch.float32
    return torch.bfloat16 if device.type == "cuda" or _has_matrix_units() else torch.float32


def _has_matrix_units() -> bool:
    report: Callable[[], Mapping[str, object]] | None = getattr(torch.cpu, "get_capabilities", None)
    return report is not None and bool(report().get("amx_bf16", False))
