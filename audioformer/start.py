"""What training starts from: a pre-trained model, or fresh weights placed by the codec's codebooks.

Between checkpoint and the tasks in the data path.

Shapes: K rows, V codebook size, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audioformer.adapt import rebuild
from audioformer.checkpoint import load_checkpoint, open_model
from audioformer.encoder import INIT_STD
from audioformer.errors import AudioformerError
from audioformer.methods import build, read_config
from audioformer.model import AudioFormer, Backbone


@torch.no_grad()
def init_from_codebooks(model: AudioFormer, codebooks: Tensor, seed: int = 0) -> None:
    """Start the token embeddings from what the codes sound like to the codec (our variant, not the authors').

    A fixed random projection with orthonormal directions carries the codec's vectors into D dimensions, so codes
    that are close in the codec start close here. In rows="summed" all rows share projection and scale: the sum of
    the embeddings then starts as the projected latent vector that the codec's decoder would get.

    Args:
        model: fresh; changed in place.
        codebooks: (K', V, D_codec) from `Codec.codebooks()`, K' >= K.
        seed: of the projection.

    Raises:
        AudioformerError: shapes do not fit, or rows="shared" (one table cannot follow several codebooks).
    """
    n_rows, size, summed = model.config.n_codebooks, model.config.codebook_size, model.config.rows == "summed"
    fits = codebooks.ndim == 3 and codebooks.shape[0] >= n_rows and codebooks.shape[1] == size
    if model.config.rows == "shared" or not fits:
        raise AudioformerError(
            f"codebooks {tuple(codebooks.shape)} must be ({n_rows} or more, {size}, width), and rows not 'shared'"
        )
    vectors = codebook_vectors(codebooks[:n_rows], model.config.d_model, same_scale=summed, seed=seed)
    tables = [table for encoder in model.encoders for table in encoder.embeddings.tables]
    for table, row_vectors in zip(tables, vectors, strict=True):
        table.weight[:size] = row_vectors.to(table.weight)


def codebook_vectors(codebooks: Tensor, d_model: int, same_scale: bool, seed: int = 0) -> Tensor:
    """Carry a codec's codebook vectors into D dimensions by one fixed random projection with orthonormal directions.

    First each row's mean vector is taken out and each of the codec's dimensions divided by its spread over all rows, so
    that level, which varies most, does not drown the rest. Distances between what remains survive the projection
    (exactly where D is no smaller than the codec's width). The result has the standard deviation of fresh embeddings.

    Args:
        codebooks: (K, V, D_codec).
        d_model: D.
        same_scale: one scale for all rows, so that later, finer rows stay smaller; False = each row its own.
        seed: of the projection.

    Returns:
        (K, V, D) float32 on the CPU.
    """
    vectors = codebooks.detach().float().cpu()
    vectors = vectors - vectors.mean(1, keepdim=True)
    vectors = vectors / vectors.var(1).sum(0).sqrt().clamp_min(1e-12)
    width = vectors.shape[2]
    noise = torch.randn(max(width, d_model), min(width, d_model), generator=torch.Generator().manual_seed(seed))
    basis = torch.linalg.qr(noise).Q
    projected = vectors @ (basis if width > d_model else basis.T)
    power = projected.square().mean() if same_scale else projected.square().mean((1, 2), keepdim=True)
    return projected * INIT_STD / power.sqrt().clamp_min(1e-12)


def load_pretrained(name, expect: dict | None = None) -> tuple[Backbone, dict]:
    """Open a pre-trained model.

    Args:
        name: folder, bundled name or hub id.
        expect: if given, the codec description of a corpus, whose fingerprint the model must share.

    Returns:
        (model in evaluation mode, config.json).

    Raises:
        AudioformerError: missing, damaged, a classifier, or trained on another codec's codes.
    """
    state, about = load_checkpoint(name)
    if about["kind"] != "pretrained":
        raise AudioformerError(f"{name}: is a {about['kind']}; expected a folder of `audioformer pretrain`")
    return _open(name, state, about, expect), about


def load_start(name, expect: dict | None = None) -> Backbone:
    """Encoders to fine-tune: a pre-trained model's, or a classifier's, which then learns other labels.

    Args, Raises: as `load_pretrained`, but for the classifier.

    Returns:
        Model in evaluation mode; from a classifier, with its adapters and without prediction heads.
    """
    state, about = load_checkpoint(name)
    if about["kind"] != "classifier":
        return load_pretrained(name, expect)[0]
    state = {key.removeprefix("backbone."): value for key, value in state.items() if key.startswith("backbone.")}
    return _open(name, state, about, expect, heads=False)


def _open(name, state: dict, about: dict, expect: dict | None, heads: bool = True) -> Backbone:
    """The model with these weights, if it belongs to the expected codec."""
    if expect is not None and expect["fingerprint"] != about["codec"]["fingerprint"]:
        raise AudioformerError(
            f"{name}: was trained on codes of {about['codec']['name']} ({about['codec']['fingerprint']}), "
            "the corpus holds codes of "
            f"{expect['name']} ({expect['fingerprint']}); prepare the corpus with the model's codec"
        )
    config = read_config(about)

    def make() -> Backbone:
        model = build(config, heads)
        if about.get("adapt", {}).get("encoders"):
            rebuild(model, about)
        return model

    return open_model(config, make, state, name)
