"""Segmentation of image files against the raw network's forward pass, in one run, at the same precision.

    python benchmarks/segmentation_speed.py                      # a U-Net with a ResNet-18, 512 x 512 px
    python benchmarks/segmentation_speed.py --model M.safetensors --edge 1024

Both are timed alternately on the same device with the same number of threads: the network on tensors that lie
ready, and `predict` from PNG files to index PNG files, with decoding, preprocessing, tiling, choosing classes
and writing. The ratio of their speeds is printed; at least 0.80 is wanted on a CPU.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from autoscope.images import write_png
from autoscope.perception.architecture import build_network
from autoscope.perception.card import ModelCard
from autoscope.perception.library import load_segmenter
from autoscope.perception.network import NetworkSegmenter
from autoscope.perception.prediction import predict_with
from autoscope.perception.settings import Architecture, Preprocessing, TrainingSettings
from autoscope.perception.weights import read_network


def untrained(encoder: str, n_classes: int) -> tuple[torch.nn.Module, ModelCard]:
    """A network with random weights: as fast as a trained one."""
    architecture = Architecture(encoder=encoder)
    card = ModelCard(
        classes=tuple(f"class {n}" for n in range(n_classes)),
        architecture=architecture,
        preprocessing=Preprocessing(),
        pixel_nm=None,
        training_data=(),
        encoder_weights=None,
        held_out=None,
        steps=0,
        hyperparameters=TrainingSettings(architecture=architecture),
        software={},
        weights_sha256="",
    )
    return build_network(architecture, n_classes).eval(), card


def micrograph(rng: np.random.Generator, edge: int) -> np.ndarray:
    """Noise over a smooth ground: as hard to compress as a micrograph."""
    ground = np.add.outer(np.sin(np.arange(edge) / 17.0), np.cos(np.arange(edge) / 23.0)) * 30.0 + 120.0
    return np.clip(ground + rng.normal(0.0, 12.0, (edge, edge)), 0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, help="a trained model instead of random weights")
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--classes", type=int, default=3)
    parser.add_argument("--edge", type=int, default=512, help="px")
    parser.add_argument("--images", type=int, default=6, help="per round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    args = parser.parse_args()

    if args.model is None:
        network, card = untrained(args.encoder, args.classes)
        segmenter = NetworkSegmenter(network, card, device=args.device, precision=args.precision)
    else:
        segmenter = load_segmenter(args.model, device=args.device, precision=args.precision)
        network, card = read_network(args.model)
    device = torch.device("cuda" if args.device != "cpu" and torch.cuda.is_available() else "cpu")
    network = network.to(device).to(memory_format=torch.channels_last)
    edge = -(-args.edge // card.architecture.stride_px) * card.architecture.stride_px
    ready = torch.rand(1, 1, edge, edge, device=device).contiguous(memory_format=torch.channels_last)

    def raw() -> None:
        reduced = segmenter.dtype is not torch.float32
        with torch.inference_mode(), torch.autocast(device.type, dtype=segmenter.dtype, enabled=reduced):
            for _ in range(args.images):
                network(ready)
        if device.type == "cuda":
            torch.cuda.synchronize()

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rng = np.random.default_rng(0)
        files = [folder / f"image{n}.png" for n in range(args.images)]
        for file in files:
            write_png(file, micrograph(rng, args.edge))
        output = folder / "out"
        output.mkdir()

        def whole() -> None:
            for _ in predict_with(segmenter, files, output):
                pass

        ratios = []
        for number in range(args.rounds + 1):
            times = []
            for action in (raw, whole):
                began = time.perf_counter()
                action()
                times.append((time.perf_counter() - began) / args.images)
            if number:  # the first round warms up
                ratios.append(times[0] / times[1])
                raw_ms, whole_ms = (1e3 * value for value in times)
                print(f"raw forward {raw_ms:7.1f} ms, file to file {whole_ms:7.1f} ms: {ratios[-1]:.2f}")
    print(
        f"{card.architecture.encoder} U-Net, {args.edge} x {args.edge} px, {device.type}, {segmenter.dtype},"
        f" {torch.get_num_threads()} threads: {statistics.median(ratios):.2f} of the raw speed (wanted: 0.80)"
    )


if __name__ == "__main__":
    main()
