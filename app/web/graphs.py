"""The models as ONNX graphs that a browser can run: codec, classifier, and the model that guesses hidden codes.

    features --encoder--> codes --decoder--> spectrum        (windows and Fourier transforms stay in JavaScript)
    tokens, gates --classifier--> logits, clip vectors, attention, activity of the feed-forward units
    tokens --guesser--> logits of every code

torch.onnx traces the very modules that Python runs, so whatever a checkpoint is made of (adapters, time bins, joined
frames) comes along. Weights travel in 16 bits where that loses nothing: checkpoints are kept in 16 bits, too, so the
browser computes with the same numbers as Python.

Shapes: B clips, K codebooks, T frames, S positions (T + 2), F frequency bins, M mel bands, D width, C classes, V codes.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from audioformer.classifier import Classifier
from audioformer.codecs.compact import CompactCodec
from audioformer.encoder import EncoderOutput
from audioformer.errors import AudioformerError
from audioformer.model import AudioFormer, mean_pool

LARGE = 256  # numbers of a weight from which 16 bits are worth an operator that widens them


class Encoding(nn.Module):
    """Frames to codes, stretch by stretch: `CompactCodec.encode_block` without the Fourier transform."""

    def __init__(self, codec: CompactCodec):
        super().__init__()
        self.codec = codec

    def forward(self, features: Tensor, log_mel: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """(1, T, 3F) and (1, T, M) frames and the (L, 1, P, D) frames before them, zeros at a clip's beginning.

        Returns:
            codes (1, K, T) int64, and the memory for the next stretch.
        """
        codec, remembered = self.codec, []
        hidden = codec.enter_norm(codec.enter(features))
        for block, past in zip(codec.encoder, memory.unbind(), strict=True):
            remembered.append(torch.cat([past, hidden], 1)[:, -block.padding[0] :])
            hidden = block(hidden, past)
        return codec.rvq.quantise(codec.combine(hidden, log_mel), codec.n_codebooks), torch.stack(remembered)


class Decoding(nn.Module):
    """Codes to spectra: `CompactCodec.synthesise` without the inverse transform."""

    def __init__(self, codec: CompactCodec):
        super().__init__()
        self.codec = codec

    def forward(self, codes: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """(1, K, T) int64 codes, and (K,) float32: 1 for a row that is heard, 0 for one that is left out.

        Returns:
            real and imaginary part, (1, T, F) each.
        """
        entries = self.codec.rvq.codebooks
        latents = sum(rows[k] * entries[k][codes[:, k]] for k in range(len(entries)))
        spectrum = self.codec.spectrum(latents)
        return spectrum.real, spectrum.imag


class Seen(nn.Module):
    """A backbone that computes its attention weights and keeps them for whoever asks next."""

    def __init__(self, backbone: AudioFormer):
        super().__init__()
        self.backbone = backbone
        self.frame_slice, self.frame_padding = backbone.frame_slice, backbone.frame_padding

    def forward(self, tokens: Tensor, padding: Tensor | None, rows: Sequence[int] | None) -> EncoderOutput:
        """See `AudioFormer`."""
        output = self.backbone(tokens, padding, rows, need_weights=True)
        self.attention = output.attention
        return output


class Gates:
    """What is off in this run: factors of (L, H) `heads`, (L, F) `units`, (L,) `blocks`; and what the units said."""

    heads: Tensor
    units: Tensor
    blocks: Tensor
    said: list[Tensor]


class Gated(nn.Module):
    """A linear layer whose inputs go through the gates of one block: those of its heads, or of its units."""

    def __init__(self, linear: nn.Module, gates: Gates, block: int, kind: str, repeats: int):
        super().__init__()
        self.linear, self.gates, self.block, self.kind, self.repeats = linear, gates, block, kind, repeats

    def forward(self, x: Tensor) -> Tensor:
        """(B, S, I) to (B, S, O)."""
        if self.kind == "units":
            self.gates.said.append(x)
        return self.linear(x * getattr(self.gates, self.kind)[self.block].repeat_interleave(self.repeats))


class GatedBlock(nn.Module):
    """A block that, where its gate is shut, lets everything through as it is; every position then looks at itself."""

    def __init__(self, block: nn.Module, gates: Gates, number: int):
        super().__init__()
        self.block, self.gates, self.number = block, gates, number
        attention = block.attention
        attention.out = Gated(attention.out, gates, number, "heads", attention.head_dim)
        block.contract = Gated(block.contract, gates, number, "units", 1)

    def forward(self, hidden: Tensor, table: Tensor, padding, need_weights: bool, positions=None) -> tuple:
        """As `Block.forward`."""
        changed, looks = self.block(hidden, table, padding, need_weights, positions)
        is_on, places = self.gates.blocks[self.number] > 0.5, torch.arange(hidden.shape[1])
        itself = (places[:, None] == places).to(looks.dtype)
        return torch.where(is_on, changed, hidden), torch.where(is_on, looks, itself)


class Labelling(nn.Module):
    """Tokens to logits, with the clip's vector, where each head looked, and what each feed-forward unit said.

    Parts can be switched off, as in `explain.switches`; the classifier itself stays as it is.
    """

    def __init__(self, classifier: Classifier):
        super().__init__()
        shared = {id(tensor): tensor for tensor in (*classifier.parameters(), *classifier.buffers())}
        self.classifier, self.gates = copy.deepcopy(classifier, shared), Gates()
        backbone = self.classifier.backbone
        for encoder in backbone.encoders:
            encoder.blocks = nn.ModuleList(GatedBlock(block, self.gates, n) for n, block in enumerate(encoder.blocks))
        self.classifier.backbone = Seen(backbone)

    def forward(self, tokens: Tensor, heads: Tensor, units: Tensor, blocks: Tensor) -> tuple[Tensor, ...]:
        """(B, K, S) int64 tokens and gates, 1 = on, 0 = off: (L, H), (L, F), (L,).

        Returns:
            logits (B, C), vectors (B, D), attention (B, L, H, S, S) of the first row encoded, and (B', L, P, F) of the
            units after GELU; B' clips, times the rows where each is encoded by itself; P positions after joining.
        """
        gates = self.gates
        gates.heads, gates.units, gates.blocks, gates.said = heads, units, blocks, []
        output = self.classifier(tokens)
        attention = torch.stack([layer[:, 0] for layer in self.classifier.backbone.attention], 1)
        return output.logits, output.embedding, attention, torch.stack(gates.said[: len(blocks)], 1)


class Guessing(nn.Module):
    """Tokens, some of them MASK, to scores of every code at every position; and the clip's vector, for a new head."""

    def __init__(self, model: AudioFormer):
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """(B, K, S) int64 to logits (B, K, S, V) and vectors (B, D)."""
        model = self.model
        hidden = model.guessing_vectors(tokens)  # (B, R, S, D)
        rows = range(model.config.n_codebooks)
        logits = [model.mlm_logits(hidden[:, min(row, hidden.shape[1] - 1)], row) for row in rows]
        return torch.stack(logits, 1)[..., : model.config.codebook_size], mean_pool(model(tokens).hidden).mean(1)


def encoder_graph(codec: CompactCodec) -> bytes:
    """`Encoding` as ONNX: `features`, `log_mel`, `memory` to `codes`, `remembered`."""
    c, n_frames = codec.config, 37
    n_bins = 3 * c.hop_length // 2 + 1
    memory = torch.zeros(c.n_encoder_blocks, 1, c.kernel - 1, c.d_encoder)
    inputs = {
        "features": torch.randn(1, n_frames, 3 * n_bins),
        "log_mel": torch.randn(1, n_frames, c.n_mels),
        "memory": memory,
    }
    return _graph(Encoding(codec), inputs, ["codes", "remembered"], {"features": 1, "log_mel": 1})


def decoder_graph(codec: CompactCodec) -> bytes:
    """`Decoding` as ONNX: `codes`, `rows` to `real`, `imaginary`."""
    inputs = {"codes": _codes(codec, 1, 37), "rows": torch.ones(codec.n_codebooks)}
    return _graph(Decoding(codec), inputs, ["real", "imaginary"], {"codes": 2})


def classifier_graph(classifier: Classifier) -> bytes:
    """`Labelling` as ONNX: `tokens`, `heads`, `units`, `blocks` to `logits`, `vectors`, `attention`, `activity`.

    It takes any number of clips of the same length.

    Raises:
        AudioformerError: a model of another method, which reads something else than codes.
    """
    if not isinstance(classifier.backbone, AudioFormer):
        raise AudioformerError("the page runs classifiers of the method audioformer; choose one such as esc10")
    c = classifier.config
    gates = {"heads": (c.n_layers, c.n_heads), "units": (c.n_layers, c.d_ff), "blocks": (c.n_layers,)}
    inputs = {**_tokens(classifier), **{name: torch.ones(shape) for name, shape in gates.items()}}
    return _graph(Labelling(classifier), inputs, ["logits", "vectors", "attention", "activity"], {"tokens": (0, 2)})


def guesser_graph(model: AudioFormer) -> bytes:
    """`Guessing` as ONNX: `tokens` to `guesses`, `vectors`.

    Raises:
        AudioformerError: a model of another method, or one without heads.
    """
    if not isinstance(model, AudioFormer) or not model.heads:
        raise AudioformerError("the page guesses hidden codes with a pre-trained AudioFormer such as pretrained")
    return _graph(Guessing(model), _tokens(model), ["guesses", "vectors"], {"tokens": (0, 2)})


def _codes(model, n_clips: int, n_frames: int) -> Tensor:
    return torch.randint(0, model.codebook_size, (n_clips, model.n_codebooks, n_frames))


def _tokens(model) -> dict[str, Tensor]:
    """Three clips of 50 frames: an example must not have a size of 1 where any size is to be taken."""
    return {"tokens": _codes(model.config, 3, 52)}


def _graph(module: nn.Module, inputs: dict[str, Tensor], outputs: list[str], free: dict) -> bytes:
    """An ONNX file, with weights in 16 bits where they are exactly that.

    Args:
        module: to trace, in evaluation mode.
        inputs: an example of each.
        outputs: their names.
        free: which axis, or axes, of an input may have any length.

    Raises:
        AudioformerError: what is needed for it is not installed.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401 - torch.onnx asks for it only half way
    except ImportError as error:
        raise AudioformerError('a page of models needs onnx: pip install "audioformer[web]"') from error
    axes = {name: axis if isinstance(axis, tuple) else (axis,) for name, axis in free.items()}
    shapes = {name: {axis: torch.export.Dim.DYNAMIC for axis in axes.get(name, ())} for name in inputs}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(),
            kwargs=inputs,
            input_names=list(inputs),
            output_names=outputs,
            dynamic_shapes=shapes,
            external_data=False,
            dynamo=True,
            verbose=False,
        )
    graph = program.model_proto
    _halve(graph.graph, onnx)
    return graph.SerializeToString()


def _halve(graph, onnx) -> None:
    """Weights of 32 bits that lose nothing in 16 are stored so, and widened again by an operator of their own."""
    widen = []
    for weight in graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT or np.prod(weight.dims) < LARGE:
            continue
        values = onnx.numpy_helper.to_array(weight)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), values):
            continue
        name = weight.name
        weight.CopyFrom(onnx.numpy_helper.from_array(half, f"{name}.half"))
        widen.append(onnx.helper.make_node("Cast", [weight.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*widen, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    halved = {node.output[0] for node in widen}
    described = [value for value in graph.value_info if value.name not in halved]
    del graph.value_info[:]
    graph.value_info.extend(described)
