"""Segmentation of image files against the raw network's forward pass, in one run, at the same precision.

    python benchmarks/segmentation_speed.py                      # a U-Net with a ResNet-18, 512 x 512 px
    python benchmarks/segmentation_speed.py --model M.safetensors --edge 1024
    python benchmarks/segmentation_speed.py --exported          # and the exported network, in onnxruntime
    python benchmarks/segmentation_speed.py --model M.safetensors --memory   # peak on 20 000 px wide frames

Both are timed alternately on the same device with the same number of threads: the network on tensors that lie
ready, and `predict` from PNG files to index PNG files, with decoding, preprocessing, tiling, choosing classes
and writing. The ratio of their speeds is printed; at least 0.80 is wanted on a CPU.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from autoscope.images import write_png
from autoscope.perception.architecture import build_network
from autoscope.perception.card import ModelCard
from autoscope.perception.library import load_segmenter, shipped_model, shipped_models
from autoscope.perception.network import NetworkSegmenter
from autoscope.perception.onnx_card import open_onnx
from autoscope.perception.onnx_export import serialised
from autoscope.perception.onnx_network import OnnxNetwork
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


def in_onnxruntime(network: torch.nn.Module, card: ModelCard) -> OnnxNetwork:
    """The network as it is exported."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "network.onnx"
        file.write_bytes(serialised(network, card))
        session, _ = open_onnx(file, threads=torch.get_num_threads())
    return OnnxNetwork(session)


def memory(args: argparse.Namespace) -> None:
    """Prints what segmenting frames of several widths takes beyond what the loaded model takes."""
    segmenter = load_segmenter(args.model or shipped_model(shipped_models()[0]), device="cpu")
    rng = np.random.default_rng(0)
    segmenter.segment(micrograph(rng, 1024), 1.0)  # one whole tile: the network's own need
    before = peak_mib()
    print(f"model loaded and one tile segmented: peak {before:.0f} MiB")
    for width in (5_000, 20_000):
        frame = np.tile(micrograph(rng, 500), (1, width // 500))
        began = time.perf_counter()
        segmenter.segment(frame, 1.0)
        took_s = time.perf_counter() - began
        after = peak_mib()
        print(
            f"{width} x {len(frame)} px: peak {after:.0f} MiB, {after - before:.0f} MiB more,"
            f" {(after - before) * 2**20 / frame.size:.1f} bytes a pixel, {took_s:.1f} s",
            flush=True,
        )


def peak_mib() -> float:
    """Most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


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
    parser.add_argument("--exported", action="store_true", help="time the network in onnxruntime too")
    parser.add_argument("--memory", action="store_true", help="only the peak memory on a wide frame")
    args = parser.parse_args()

    if args.memory:
        memory(args)
        return
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

    exported = in_onnxruntime(network, card) if args.exported else None

    def served() -> None:
        assert exported is not None
        for _ in range(args.images):
            exported(ready)

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

        ratios, engines = [], []
        for number in range(args.rounds + 1):
            times = []
            for action in (raw, whole, *([served] if exported is not None else [])):
                began = time.perf_counter()
                action()
                times.append((time.perf_counter() - began) / args.images)
            if number:  # the first round warms up
                ratios.append(times[0] / times[1])
                raw_ms, whole_ms = (1e3 * value for value in times[:2])
                if exported is not None:
                    engines.append(times[0] / times[2])
                print(f"raw forward {raw_ms:7.1f} ms, file to file {whole_ms:7.1f} ms: {ratios[-1]:.2f}")
    print(
        f"{card.architecture.encoder} U-Net, {args.edge} x {args.edge} px, {device.type}, {segmenter.dtype},"
        f" {torch.get_num_threads()} threads: {statistics.median(ratios):.2f} of the raw speed (wanted: 0.80)"
    )
    if engines:
        print(f"onnxruntime: {statistics.median(engines):.2f} times the raw speed of torch, same run")


if __name__ == "__main__":
    main()
