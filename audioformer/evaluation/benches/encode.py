"""How fast clips are coded: EnCodec 24 kHz beside the package `encodec` clip by clip, and the bundled codec.

    audioformer bench encode

The codes must be the package's. Beside the times stands what the processor could do at most: the arithmetic of a second
of sound against the matrix rate measured in the same run. Random weights of the published format do as well as the
published ones: the work is the same.

Shapes: B clips, N samples, K codebooks, T frames, D latent width.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from audioformer.codecs import load_codec
from audioformer.codecs.encodec import EncodecCodec
from audioformer.codecs.encodec_fast import encode_together
from audioformer.codecs.encodec_files import import_encodec
from audioformer.evaluation.benches import machine, row

KBPS = 6.0  # 8 codebooks
UNIT = "times real time"


def bench_encode(
    n_clips: int = 16,
    clip_s: float = 5.0,
    repeats: int = 3,
    weights: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict:
    """Measure.

    Args:
        n_clips: B.
        clip_s: length of each, seconds.
        repeats: rounds, each way in turn; medians count.
        weights: folder or file of EnCodec's published weights; None: random ones.
        progress: called with what is being measured.

    Returns:
        The benchmark: "ours" and "peer" in times real time; in EnCodec's row "identical" is the share of codes equal to
        the package's; the last row is the matrix rate's limit, with "gflop_per_s_of_sound" and "gflops".

    Raises:
        AudioformerError: encodec is not installed, or no such weights.
    """
    say = progress or (lambda _: None)
    theirs = random_model() if weights is None else load_codec("encodec_24khz", weights=weights).model
    ours, clips = EncodecCodec(theirs, "encodec_24khz"), sounds(n_clips, clip_s, 24_000)
    codebooks, batch = round(KBPS / 0.75), torch.stack(clips)
    theirs.set_target_bandwidth(KBPS)
    ways = {
        "package": lambda: [_package_codes(theirs, clip) for clip in clips],
        "one by one": lambda: [ours.encode(clip, 24_000, codebooks)[0] for clip in clips],
        "together": lambda: ours.quantise(encode_together(ours.model.encoder.model, batch), codebooks),
    }
    compact = load_codec("compact")
    ways |= {
        "compact, one by one": lambda: [compact.encode(clip, 24_000)[0] for clip in clips],
        "compact, together": lambda: compact.encode(batch, 24_000),
    }
    seconds, codes = _in_turn(ways, repeats, say)
    speed = {name: n_clips * clip_s / value for name, value in seconds.items()}
    table = [
        row(
            f"EnCodec 24 kHz, {name}",
            speed[name],
            UNIT,
            speed["package"],
            identical=identical(codes[name], codes["package"]),
        )
        for name in ("one by one", "together")
    ]
    table += [
        row(f"{name}, {compact.n_codebooks} codebooks", speed[name], UNIT)
        for name in speed
        if name.startswith("compact")
    ]
    work, rate = gigaflops(theirs), matrix_rate()
    table.append(
        row("limit for EnCodec: nothing but arithmetic", rate / work, UNIT, gflop_per_s_of_sound=work, gflops=rate)
    )
    return {
        "name": "encode",
        "n_clips": n_clips,
        "clip_s": clip_s,
        "n_codebooks": codebooks,
        "machine": machine(),
        "rows": table,
    }


def _in_turn(
    ways: dict[str, Callable], repeats: int, say: Callable[[str], None]
) -> tuple[dict[str, float], dict[str, list[Tensor]]]:
    """Median seconds and the codes of each way; the first round is not counted."""
    times, codes = {name: [] for name in ways}, {}
    for round_ in range(repeats + 1):
        for name, way in ways.items():
            say(f"round {round_} of {repeats}: {name}")
            started = time.perf_counter()
            codes[name] = way()
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(values[1:]) for name, values in times.items()}, codes


@torch.no_grad()
def _package_codes(model: nn.Module, clip: Tensor) -> Tensor:
    """(K, T) codes as the package gives them."""
    return torch.cat([codes for codes, _ in model.encode(clip[None])], -1)[0]


def identical(codes: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """Share of equal codes, 0 to 1."""
    equal = sum(int((a == b).sum()) for a, b in zip(codes, expected, strict=True))
    return equal / sum(b.numel() for b in expected)


def sounds(n_clips: int, clip_s: float, sample_rate: int) -> list[Tensor]:
    """(1, N) each: a rising tone in noise, every clip another."""
    generator, time_s = torch.Generator().manual_seed(0), torch.arange(round(clip_s * sample_rate)) / sample_rate
    tones = [torch.sin(2 * math.pi * 150 * (i + 1) * (1 + time_s / clip_s) * time_s) for i in range(n_clips)]
    return [0.3 * one[None] + 0.05 * torch.randn(1, len(time_s), generator=generator) for one in tones]


def random_model() -> nn.Module:
    """The package's 24 kHz model with seeded weights, its codebooks spread like its latents so that all codes occur."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore", FutureWarning)  # torch's notice that weight_norm has a newer form
        torch.manual_seed(24)
        model = import_encodec().EncodecModel.encodec_model_24khz(pretrained=False).eval()
        spread = model.encoder(sounds(1, 0.3, model.sample_rate)[0][None]).std()
        for k, layer in enumerate(model.quantizer.vq.layers):
            layer.codebook.copy_(torch.randn_like(layer.codebook) * spread * 0.9**k)
    return model


@torch.no_grad()
def gigaflops(model: nn.Module) -> float:
    """Arithmetic of coding one second of sound at the model's bandwidth, 1e9 operations."""
    plain = torch.backends.mkldnn.flags(enabled=False)  # its LSTM is one operation that the counter does not know
    with warnings.catch_warnings(), FlopCounterMode(display=False) as counter:
        warnings.simplefilter("ignore")  # torch's notice about Intel's graphics cards
        with plain:
            model.encode(torch.zeros(1, 1, model.sample_rate))
    return counter.get_total_flops() / 1e9


def matrix_rate(size: int = 1024, repeats: int = 10, dtype: torch.dtype = torch.float32) -> float:
    """What this machine's matrix product reaches with the threads torch uses, 1e9 operations a second."""
    a, b = torch.randn(2, size, size).to(dtype).unbind()
    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        a @ b
        times.append(time.perf_counter() - started)
    return 2 * size**3 / min(times[1:]) / 1e9


def run(arguments: argparse.Namespace, show: Callable[[str], None]) -> dict:
    """Measure with the options of the command line."""
    return bench_encode(arguments.clips, arguments.seconds, arguments.repeats, arguments.weights, show)


COLUMNS = {"case": "case", "value": "ours", "unit": "unit", "ratio to the package": "ratio", "equal codes": "identical"}
