"""Published EnCodecMAE layouts become ours: seeded weights give in our model what their formulas give."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
import torch
from tiny import tiny_codec
from torch.nn import functional as F

from audioformer.cli import main
from audioformer.codecs.compact_files import save_compact
from audioformer.encodecmae.convert import convert_state, fill, import_encodecmae, published_shape, read_published
from audioformer.encodecmae.model import EncodecMAE
from audioformer.encodecmae.transformer import sinusoids
from audioformer.errors import AudioformerError
from audioformer.start import load_pretrained

D, HEADS, D_FF, LAYERS, WIDTH = 26, 3, 12, 2, 6  # 3 heads of 8 of 26: like the large model, some width is left over


def published_state(
    version: int, streams: int = 8, shared: bool = True, extra: bool = False
) -> dict[str, torch.Tensor]:
    """Seeded tensors under the names and in the shapes of the authors' code."""
    generator = torch.Generator().manual_seed(version)
    state: dict[str, torch.Tensor] = {}

    def add(name, *shape):
        state[name] = torch.randn(*shape, generator=generator) * 0.3

    def linear(name, n_out, n_in):
        add(f"{name}.weight", n_out, n_in)
        add(f"{name}.bias", n_out)

    linear("feat_projector" if version == 1 else "wav_encoder.post_net", D, WIDTH)
    linear("decoder_projector" if version == 1 else "visible_encoder.post_net", D, D)
    for name in ["positional_encoder"] if version == 1 else ["masker.positional_encoder", "decoder.positional_encoder"]:
        state[f"{name}.scale"] = torch.rand((), generator=generator) + 0.5
    for stack, n_layers in (("visible_encoder", LAYERS), ("decoder", 1)):
        for i in range(n_layers):
            prefix = f"{stack}.encoder_layers.{i}"
            for part in ("wq", "wk", "wv"):
                add(f"{prefix}.att_layer.{part}.weight", D // HEADS * HEADS, D)
            add(f"{prefix}.att_layer.wo.weight", D, D // HEADS * HEADS)
            linear(f"{prefix}.ff_layer.0", D_FF, D)
            linear(f"{prefix}.ff_layer.2", D, D_FF)
            for norm in ("norm1", "norm2"):
                add(f"{prefix}.{norm}.weight", D)
                add(f"{prefix}.{norm}.bias", D)
        add(f"{stack}.final_norm.weight", D)
        add(f"{stack}.final_norm.bias", D)
    if shared:
        for name in [name for name in state if ".ff_layer." in name]:
            state[name] = state[f"{name.split('.')[0]}.encoder_layers.0.{name.split('.', 3)[3]}"]
    linear("head.layer", streams * 1024, D)
    if extra:
        linear("extra_head.layer", 1024, D)
    frozen = "wav_encoder.model" if version == 1 else "wav_encoder.encoder.model"
    add(f"{frozen}.0.conv.weight", 4, 4)
    add("target_encoder.model.vq.layers.0._codebook.embed", 4, 4)
    return state


def their_stack(state, stack: str, n_layers: int, x):
    """Their transformer by its formulas: heads interleaved ("dimension, then head"), two streams, ReLU."""
    post = sums = x
    n = x.shape[0]
    for i in range(n_layers):
        weights = {
            part: state[f"{stack}.encoder_layers.{i}.att_layer.{part}.weight"] for part in ("wq", "wk", "wv", "wo")
        }
        q, k, v = ((post @ weights[part].T).reshape(n, -1, HEADS) for part in ("wq", "wk", "wv"))  # (T, d, H)
        mixed = torch.zeros_like(v)
        for h in range(HEADS):
            mixed[:, :, h] = (q[:, :, h] @ k[:, :, h].T * q.shape[1] ** -0.5).softmax(-1) @ v[:, :, h]
        mixed = mixed.reshape(n, -1) @ weights["wo"].T
        prefix = f"{stack}.encoder_layers.{i}"
        post, sums = norm(state, f"{prefix}.norm1", post + mixed), sums + mixed
        changed = linear(state, f"{prefix}.ff_layer.2", linear(state, f"{prefix}.ff_layer.0", post).relu())
        post, sums = norm(state, f"{prefix}.norm2", post + changed), sums + changed
    return post + norm(state, f"{stack}.final_norm", sums)


def linear(state, name, x):
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def norm(state, name, x):
    return F.layer_norm(x, (D,), state[f"{name}.weight"], state[f"{name}.bias"])


def converted(state) -> EncodecMAE:
    config = published_shape(state, n_heads=HEADS)
    model = EncodecMAE(config)
    fill(model, convert_state(state, config))
    return model.eval()


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("shared", [True, False])
def test_a_converted_model_computes_what_theirs_does(version, shared):
    state = published_state(version, shared=shared)
    model = converted(state)
    assert model.config.shared_ff is shared
    frames = torch.randn(9, WIDTH)
    hidden = torch.tensor([0, 1, 1, 0, 0, 1, 0, 0, 1]).bool()
    names = (
        ("feat_projector", "decoder_projector")
        if version == 1
        else ("wav_encoder.post_net", "visible_encoder.post_net")
    )
    places = ["positional_encoder"] * 2 if version == 1 else ["masker.positional_encoder", "decoder.positional_encoder"]
    scales = [state[f"{place}.scale"] for place in places]
    x = linear(state, names[0], frames) + scales[0] * sinusoids(9, D)
    encoded = their_stack(state, "visible_encoder", LAYERS, x)
    torch.testing.assert_close(model(frames.T[None]).hidden[0, 0], encoded, atol=1e-4, rtol=1e-4)

    y = torch.zeros(9, D)
    y[~hidden] = linear(state, names[1], their_stack(state, "visible_encoder", LAYERS, x[~hidden]))
    decoded = their_stack(state, "decoder", 1, y + scales[1] * sinusoids(9, D))
    scores = linear(state, "head.layer", decoded).reshape(9, 8, 1024)  # their order: frame, row, code
    ours = torch.stack([row[0] for row in model.guess(frames.T[None], hidden[None])], 1)
    torch.testing.assert_close(ours, scores, atol=1e-3, rtol=1e-3)


def test_shapes_are_read_from_the_tensors():
    config = published_shape(published_state(2), n_heads=HEADS)
    assert (config.d_model, config.n_layers, config.n_decoder_layers, config.d_ff) == (D, LAYERS, 1, D_FF)
    assert (config.targets, config.frames, config.frame_width, config.n_codebooks) == ("codes", "latents", WIDTH, 8)
    assert published_shape(published_state(2, streams=1), HEADS).targets == "kmeans"
    both = converted(published_state(1, extra=True))
    assert both.config.targets == "both"
    assert len(both.heads) == 9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("head.layer.weight"), "not the state dict of an EnCodecMAE"),
        (lambda s: s.pop("decoder.final_norm.bias"), "1 tensors are missing"),
        (lambda s: s.pop("visible_encoder.encoder_layers.1.att_layer.wk.weight"), "one of wq, wk, wv is missing"),
        (lambda s: s.update({"surprise.weight": torch.zeros(1)}), "surprise.weight is not understood"),
        (lambda s: s.update({"decoder.encoder_layers.0.norm9.bias": torch.zeros(1)}), "norm9.bias is not understood"),
        (lambda s: s.update({"decoder.final_norm.bias": torch.zeros(5)}), "do not fit"),
    ],
)
def test_states_that_are_not_whole_are_refused(change, message):
    state = published_state(2)
    change(state)
    with pytest.raises(AudioformerError, match=message):
        converted(state)


def test_their_file_becomes_a_folder_of_ours(tmp_path):
    torch.save({"state_dict": published_state(2), "epoch": 3}, tmp_path / "model.pt")
    codec = tiny_codec(name="codec", codebook_size=1024, d_latent=WIDTH, n_codebooks=8)
    save_compact(codec, tmp_path / "codec")
    words = ["convert", str(tmp_path / "model.pt"), "--method", "encodecmae", "-o", str(tmp_path / "out")]
    assert main([*words, "--heads", str(HEADS), "--codec", str(tmp_path / "codec")]) == 0
    model, about = load_pretrained(tmp_path / "out")
    assert model.config.shared_ff
    frames = torch.randn(1, WIDTH, 9)
    torch.testing.assert_close(
        model(frames).hidden, converted(published_state(2))(frames).hidden, atol=5e-2, rtol=5e-2
    )  # 16 bits
    assert about["codec"]["fingerprint"] == codec.fingerprint
    assert "their licence" in (tmp_path / "out" / "README.md").read_text()


def test_another_codec_is_refused(tmp_path):
    torch.save({"state_dict": published_state(2)}, tmp_path / "model.pt")
    with pytest.raises(AudioformerError, match="give --codec encodec_24khz"):
        import_encodecmae(tmp_path / "model.pt", tmp_path / "out", tiny_codec(), HEADS)
    assert not (tmp_path / "out").exists()


class Trap:
    """What a malicious file would hold."""

    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", pickle.dumps({"state_dict": Trap()})])
def test_files_that_are_no_tensors_are_refused(tmp_path, content, capsys):
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(AudioformerError, match="cannot be read as tensors"):
        read_published(tmp_path / "model.pt")
    assert "executed" not in capsys.readouterr().out
    with pytest.raises(AudioformerError, match="no such file"):
        read_published(tmp_path / "other.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(AudioformerError, match="holds no state_dict"):
        read_published(tmp_path / "list.pt")


def test_the_converter_keeps_the_number_of_heads_honest():
    state = published_state(2)
    config = replace(published_shape(state, n_heads=HEADS), n_heads=2)
    with pytest.raises(AudioformerError, match="is the number of heads right"):
        fill(EncodecMAE(config), convert_state(state, published_shape(state, n_heads=HEADS)))
