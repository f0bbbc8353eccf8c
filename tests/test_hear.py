"""HEAR's contract, check by check as its validator makes them, for every kind of frozen model."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from tiny import codec_about, tiny_codec, tone

import audioformer as af
from audioformer import hear
from audioformer.audio import Waveform, resample
from audioformer.checkpoint import save_checkpoint
from audioformer.classifier import Classifier
from audioformer.codecs.compact_files import save_compact
from audioformer.codecs.spectra import log_mel
from audioformer.encodecmae.config import mae_preset
from audioformer.encodecmae.model import EncodecMAE
from audioformer.errors import AudioformerError
from audioformer.evaluation.features import TransformerFrames, encoder_parameters, open_encoder, summarise
from audioformer.model import AudioFormer
from audioformer.recipes import PRETRAIN_PRESETS, preset

ALLOWED_RATES = (16000, 22050, 32000, 44100, 48000)  # Hz
KINDS = ("log-mel", "codec", "codes", "separate", "shared:rows=2-3", "summed:layer=1", "classifier", "encodecmae")


def small(rows: str):
    return preset("test", codebook_size=16, n_codebooks=3, rows=rows, max_positions=80)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Folder with a codec, pre-trained models of the three kinds, an EnCodecMAE, and a classifier."""
    root, codec = tmp_path_factory.mktemp("models"), tiny_codec()
    save_compact(codec, root / "codec")
    recipe = asdict(replace(PRETRAIN_PRESETS["test"], crop_s=0.8))
    about = {"kind": "pretrained", "codec": codec_about(codec) | {"name": str(root / "codec")}, "recipe": recipe}
    for rows in ("separate", "shared", "summed"):
        torch.manual_seed(3)
        save_checkpoint(
            root / rows, AudioFormer(small(rows)).state_dict(), {**about, "model": small(rows).to_dict()}, ""
        )
    shape = mae_preset("test", codebook_size=16, n_codebooks=2, frame_width=codec.config.d_latent, max_positions=80)
    of_mae = {**about, "method": "encodecmae", "model": shape.to_dict()}
    save_checkpoint(root / "encodecmae", EncodecMAE(shape).state_dict(), of_mae, "")
    labels = {"label_names": ["a", "b"], "multi_label": False, "frame_head": False, "window_s": 0.8}
    of_classifier = {**about, "kind": "classifier", "model": small("summed").to_dict(), **labels}
    save_checkpoint(root / "classifier", Classifier(small("summed"), 2).state_dict(), of_classifier, "")
    return root


def spec(home, kind: str) -> str:
    name, colon, rest = kind.partition(":")
    known = {"log-mel": "log-mel", "codec": f"codec:{home / 'codec'}", "codes": f"codes:{home / 'codec'}:rows=1-2"}
    return known.get(name, str(home / name)) + colon + rest


@pytest.fixture(params=KINDS)
def model(request, home):
    return hear.load_model(spec(home, request.param))


def noise(n: int, duration_s: float) -> torch.Tensor:
    return torch.rand(n, int(duration_s * 48_000), generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_the_model_has_the_attributes_of_the_interface(model):
    assert isinstance(model, torch.nn.Module)
    assert model.sample_rate in ALLOWED_RATES
    assert type(model.sample_rate) is type(model.scene_embedding_size) is type(model.timestamp_embedding_size) is int
    assert not any(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("duration_s", [1.07, 4.0])
def test_timestamp_embeddings_pass_the_validator(model, duration_s):
    embeddings, times = hear.get_timestamp_embeddings(noise(2, duration_s), model)
    assert embeddings.dtype == torch.float32
    assert embeddings.shape == (2, times.shape[1], model.timestamp_embedding_size)
    assert torch.isfinite(embeddings).all()
    assert embeddings.device == times.device == model.encoder.device
    steps = torch.diff(times)
    hop_ms = float(steps.mean())
    assert 0 < hop_ms <= 50
    assert (steps - hop_ms).abs().max() < 1e-3
    assert (times[0] == times[1]).all()
    assert 0 <= float(times[0, 0]) <= hop_ms
    assert duration_s * 1000 - hop_ms <= float(times[0, -1]) <= duration_s * 1000


def test_scene_embeddings_pass_the_validator(model):
    embeddings = hear.get_scene_embeddings(noise(4, 2.74), model)
    assert (embeddings.dtype, embeddings.shape) == (torch.float32, (4, model.scene_embedding_size))
    assert torch.isfinite(embeddings).all()


def test_without_a_path_it_is_the_bundled_model():
    model = hear.load_model()
    assert isinstance(model.encoder, TransformerFrames)
    embeddings, times = hear.get_timestamp_embeddings(noise(1, 0.5), model)
    assert embeddings.shape == (1, len(times[0]), model.timestamp_embedding_size)


def test_a_batch_gives_what_its_clips_give_alone(model):
    audio = noise(2, 1.3)
    together = hear.get_timestamp_embeddings(audio, model)[0]
    alone = [hear.get_timestamp_embeddings(clip[None], model)[0] for clip in audio]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("n_samples", [1, 641])
def test_any_length_gives_a_frame_whose_middle_is_in_the_clip(model, n_samples):
    audio = torch.full((1, n_samples), 0.1)
    embeddings, times = hear.get_timestamp_embeddings(audio, model)
    assert embeddings.shape[1] >= 1
    assert 0 <= float(times.min()) <= float(times.max()) <= n_samples / 48
    assert torch.isfinite(hear.get_scene_embeddings(audio, model)).all()


@pytest.mark.parametrize("kind", ["log-mel", "codec"])
def test_a_click_is_heard_at_its_time(home, kind):
    """Timestamps are the middles of frames, in milliseconds: a click at 0.5 s stands out in the frame that says 500."""
    audio = torch.zeros(1, 48_000)
    audio[0, 24_000:24_048] = 0.9
    frames, times = hear.get_timestamp_embeddings(audio, hear.load_model(spec(home, kind)))
    away = (frames[0] - frames[0, 0]).norm(dim=1)
    assert float(times[0, away.argmax()]) == pytest.approx(500, abs=20)


@pytest.mark.parametrize("duration_s", [1.1, 80 / 75])  # N no multiple of the hop, or T one more than of the piece
def test_log_mel_frames_are_those_of_the_whole_clip(duration_s):
    encoder, samples = open_encoder("log-mel"), tone(440, duration_s)
    encoder.piece = 20
    torch.testing.assert_close(encoder(samples), log_mel(samples, 24_000, n_mels=64).transpose(1, 2))


def test_codec_frames_are_latents_and_sums_of_code_vectors(home):
    codec, samples = af.load_codec(home / "codec"), tone(440, 0.4)
    torch.testing.assert_close(open_encoder(spec(home, "codec"))(samples)[0], codec.latents(samples, 24_000)[0].T)
    codes, tables = codec.encode(samples, 24_000)[0], codec.codebooks()
    assert torch.equal(open_encoder(spec(home, "codes"))(samples)[0], tables[0][codes[0]] + tables[1][codes[1]])


def test_a_classifiers_frames_are_those_of_embed(home):
    sound = tone(440, 2.0, 48_000)
    frames = hear.get_timestamp_embeddings(sound, hear.load_model(spec(home, "classifier")))[0][0]
    expected = af.load(home / "classifier").embed(resample(sound, 48_000, 24_000), frames=True, sample_rate=24_000)
    np.testing.assert_allclose(frames.numpy(), expected, atol=1e-4)


def test_rows_and_layers_are_those_of_the_model(home):
    samples = tone(440, 0.5)
    both, first, second = (open_encoder(f"{home / 'separate'}:rows={rows}")(samples) for rows in ("1-2", "1", "2"))
    torch.testing.assert_close(both, torch.cat([first, second], 2))
    torch.testing.assert_close(open_encoder(home / "separate")(samples), first)
    last, none, embeddings = (
        open_encoder(f"{home / 'summed'}{layer}")(samples) for layer in (":layer=2", "", ":layer=0")
    )
    torch.testing.assert_close(last, none)
    assert not torch.allclose(last, embeddings)


@pytest.mark.parametrize("kind", ["latents", "mel256", "quantised"])
def test_encodecmae_frames_are_its_hidden_vectors(home, kind):
    """In one window they are what the model says of the sound's frames."""
    torch.manual_seed(1)
    codec, samples = open_encoder(spec(home, "codec")).codec, tone(440, 0.5)
    width = 256 if kind == "mel256" else codec.config.d_latent
    model = EncodecMAE(mae_preset("test", frames=kind, frame_width=width, codebook_size=16, max_positions=80)).eval()
    expected = model(model.read(codec, Waveform(samples, 24_000))).hidden[:, 0]
    torch.testing.assert_close(TransformerFrames(model, codec, 1.0)(samples), expected)


def test_the_parameters_counted_are_those_the_vectors_depend_on(home):
    codec = tiny_codec().train().requires_grad_(True)
    codec.frame_latents(tone(440)).sum().backward()
    used = sum(parameter.numel() for parameter in codec.parameters() if parameter.grad is not None)
    assert encoder_parameters(codec) == used > 0
    one, two = (open_encoder(f"{home / 'separate'}:rows={rows}").n_parameters for rows in ("1", "1-2"))
    assert two - one == sum(p.numel() for p in AudioFormer(small("separate")).encoders[0].parameters())
    assert open_encoder("log-mel").n_parameters == 0


def test_a_long_clip_passes_in_pieces(home):
    """Neither the codec nor the transformer ever reads more than its piece, however long the clip."""
    model, longest = hear.load_model(spec(home, "classifier")), {"codec": 0, "transformer": 0}

    def note(name):
        def hook(_, inputs, __):
            longest[name] = max(longest[name], inputs[0].shape[-2])

        return hook

    model.encoder.codec.encoder[0].register_forward_hook(note("codec"))
    model.encoder.model.encoders[0].blocks[0].register_forward_hook(note("transformer"))
    frames, times = hear.get_timestamp_embeddings(noise(1, 70), model)
    assert frames.shape[1] == 70 * 75
    assert float(times[0, -1]) == pytest.approx(70_000 - 1000 / 150)
    assert longest["codec"] <= 75 * 61
    assert longest["transformer"] <= 62


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (torch.zeros(100), "shape .100,."),
        (torch.zeros(2, 10, dtype=torch.int16), "int16"),
        (np.zeros((1, 10)), "ndarray"),
        (torch.zeros(1, 0), "0 samples"),
        (torch.full((1, 10), torch.nan), "NaN"),
    ],
)
def test_audio_that_is_none_is_refused(audio, message):
    with pytest.raises(AudioformerError, match=message):
        hear.get_scene_embeddings(audio, hear.load_model("log-mel"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("log-mel:layer=1", "has no layer"),
        ("codec:{home}/codec:rows=1", "has no rows"),
        ("codes:{home}/codec:rows=1-4", "1 to 3 rows"),
        ("codes:{home}/codec:layer=1", "1 to 3 rows"),
        ("codes:{home}/codec:rows=2-3", "write rows=1-3"),
        ("{home}/summed:layer=1-2", "write layer=2"),
        ("{home}/summed:rows=1", "only rows encoded apart"),
        ("{home}/separate:rows=3-4", "3 of them"),
        ("{home}/separate:rows=0", "3 of them"),
        ("{home}/summed:layer=3", "to 2"),
        ("nowhere", "neither a folder nor bundled"),
    ],
)
def test_a_name_that_means_nothing_is_refused(home, name, message):
    with pytest.raises(AudioformerError, match=message):
        hear.load_model(name.format(home=home))


def test_a_clip_is_its_moments_and_how_fast_it_changes():
    """Slow and fast: the same frames in another order have the same moments, and differ in the third part."""
    slow = torch.arange(40.0)[None, :, None].expand(1, 40, 2)
    fast = slow[:, torch.randperm(40, generator=torch.Generator().manual_seed(0))]
    one, other = summarise(slow)[0], summarise(fast)[0]
    assert one.shape == (6,)
    torch.testing.assert_close(one[:4], other[:4])
    assert one[4:].tolist() == [0.0, 0.0]  # every step is 4 long
    assert (other[4:] > 5).all()
    assert summarise(slow[:, :3])[0, 4:].tolist() == [0.0, 0.0]
    assert summarise(slow[:, :1]).isfinite().all()
