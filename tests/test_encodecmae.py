"""EnCodecMAE: gaps, what the encoder may see, the loss by hand, sizes, frames, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tiny import tiny_codec, tone
from torch.nn import functional as F

from audioformer.classifier import Classifier
from audioformer.data.frame_batch import collate_frames, gap_mask
from audioformer.data.frames import kaldi_filters, kaldi_log_mel, sound_frames
from audioformer.encodecmae.config import MAE_PRESETS, ROW_WEIGHTS, EncodecMAEConfig, mae_preset
from audioformer.encodecmae.model import EncodecMAE
from audioformer.encodecmae.transformer import DualTransformer, sinusoids
from audioformer.errors import AudioformerError
from audioformer.methods import build
from audioformer.recipes import preset

LENGTHS = torch.tensor([40, 31, 20])


def small(**changes) -> EncodecMAEConfig:
    return mae_preset("test", **{"codebook_size": 16, "frame_width": 5, **changes})


def made(seed: int = 0, **changes) -> EncodecMAE:
    torch.manual_seed(seed)
    return EncodecMAE(small(**changes)).eval()


def batch(seed: int = 0):
    """(frames, targets, hidden, padding) of three clips."""
    generator = torch.Generator().manual_seed(seed)
    frames = torch.randn(3, 5, 40, generator=generator)
    targets = torch.randint(16, (3, 2, 40), generator=generator)
    padding = torch.arange(40) >= LENGTHS[:, None]
    return frames, targets, gap_mask(LENGTHS, generator=generator), padding


@pytest.mark.parametrize(("ratio", "gap"), [(0.5, 15), (0.3, 1), (0.75, 4), (0.1, 50)])
def test_gaps_hide_exactly_the_share_asked_for(ratio, gap):
    lengths = torch.tensor([300, 75, 16, 15, 2, 1])
    for seed in range(20):
        hidden = gap_mask(lengths, ratio, gap, torch.Generator().manual_seed(seed))
        wanted = [min(max(int(n * ratio), 1), n - 1) for n in lengths.tolist()]
        assert hidden.sum(1).tolist() == wanted
        assert not (hidden & (torch.arange(300) >= lengths[:, None])).any()


def test_gaps_are_fifteen_frames_and_reach_everywhere():
    hidden = gap_mask(torch.full((400,), 150), generator=torch.Generator().manual_seed(0))
    edges = F.pad(hidden.int(), (1, 1)).diff(dim=1)
    runs = (edges == -1).nonzero()[:, 1] - (edges == 1).nonzero()[:, 1]
    assert (runs == 15).float().mean() > 0.3  # the rest overlap, or was the first
    assert hidden.float().mean(0).min() > 0.02


def test_gaps_depend_on_the_seed_alone():
    one, two, other = (gap_mask(LENGTHS, generator=torch.Generator().manual_seed(s)) for s in (3, 3, 4))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    alone = [gap_mask(LENGTHS[i : i + 1], generator=torch.Generator().manual_seed(i))[0] for i in range(3)]
    together = gap_mask(LENGTHS, generator=[torch.Generator().manual_seed(i) for i in range(3)])
    assert all(torch.equal(row[: len(own)], own) for row, own in zip(together, alone, strict=True))


@pytest.mark.parametrize(("ratio", "gap"), [(0.0, 15), (1.0, 15), (0.5, 0)])
def test_gaps_that_cannot_be_are_refused(ratio, gap):
    with pytest.raises(AudioformerError, match="mask_ratio="):
        gap_mask(LENGTHS, ratio, gap)


def test_positions_are_sines_and_cosines():
    table = sinusoids(4, 6)
    assert table[3, 2].item() == pytest.approx(math.sin(3 / 10000 ** (2 / 6)))
    assert table[3, 5].item() == pytest.approx(math.cos(3 / 10000 ** (4 / 6)))


def test_attention_weights_lead_to_the_same_output():
    model, (frames, _, _, padding) = made(), batch()
    plain, shown = model(frames, padding), model(frames, padding, need_weights=True, need_hidden=True)
    torch.testing.assert_close(plain.hidden[:, 0][~padding], shown.hidden[:, 0][~padding])
    assert plain.hidden.shape == (3, 1, 40, 16)
    assert [w.shape for w in shown.attention] == [(3, 1, 2, 40, 40)] * 2
    assert [h.shape for h in shown.all_hidden] == [(3, 1, 40, 16)] * 3
    assert shown.attention[0][2, ..., 20:].abs().max() == 0  # nobody looks at padding


@pytest.mark.parametrize(
    ("name", "own_ff", "shared_ff"), [("small", 43.3, 18.1), ("base", 86.6, 29.9), ("large", 251.5, 92.0)]
)
def test_encoders_are_as_large_as_the_published(name, own_ff, shared_ff):
    """In millions; the shared feed-forward layer's as measured from the authors' code."""
    for shared, wanted in ((False, own_ff), (True, shared_ff)):
        config = mae_preset(name, shared_ff=shared)
        with torch.device("meta"):
            stack = DualTransformer(config, config.n_layers)
        assert sum(p.numel() for p in stack.parameters()) / 1e6 == pytest.approx(wanted, abs=0.06)
    assert MAE_PRESETS["large"].head_dim == 85


def test_hidden_frames_do_not_reach_the_model_at_all():
    model, (frames, _, hidden, padding) = made(), batch()
    spoilt = frames.transpose(1, 2).clone()
    spoilt[hidden | padding] = float("nan")
    first, second = model.decode(frames, hidden, padding), model.decode(spoilt.transpose(1, 2), hidden, padding)
    assert torch.equal(first[~padding], second[~padding])
    changed = frames.transpose(1, 2).clone()
    changed[~hidden] += 1
    assert not torch.equal(first[~padding], model.decode(changed.transpose(1, 2), hidden, padding)[~padding])


def test_padding_changes_nothing():
    model, (frames, _, hidden, padding) = made(), batch()
    together = model.decode(frames, hidden, padding)[2, :20]
    alone = model.decode(frames[2:, :, :20], hidden[2:, :20])[0]
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(
        model(frames, padding).hidden[2, 0, :20], model(frames[2:, :, :20]).hidden[0, 0], atol=1e-5, rtol=1e-4
    )


def test_loss_by_hand():
    """Heads that always say the same: row 1 gives code 0 a half, row 2 gives code 1 a quarter (V = 16)."""
    model = made()
    with torch.no_grad():
        for head, code, share in zip(model.heads, (0, 1), (1 / 2, 1 / 4), strict=True):
            head.weight.zero_()
            head.bias.fill_(math.log((1 - share) / 15))
            head.bias[code] = math.log(share)
    frames = torch.randn(1, 5, 4)
    targets = torch.tensor([[[0, 0, 3, 0], [1, 2, 1, 9]]])
    hidden = torch.tensor([[True, True, False, False]])
    padding = torch.tensor([[False, False, False, True]])
    out = model.mae_loss(frames, targets, hidden, padding)
    row1, row2 = math.log(2), (math.log(4) + math.log(20)) / 2  # the hidden frames
    w1, w2 = (w / sum(ROW_WEIGHTS[:2]) for w in ROW_WEIGHTS[:2])
    masked, visible = w1 * row1 + w2 * row2, w1 * math.log(30) + w2 * math.log(4)
    assert out.masked.item() == pytest.approx(masked, rel=1e-5)
    assert out.visible.item() == pytest.approx(visible, rel=1e-5)
    assert out.loss.item() == pytest.approx(0.9 * masked + 0.1 * visible, rel=1e-5)
    assert out.row_losses.tolist() == pytest.approx([row1, row2], rel=1e-5)
    assert out.row_accuracy.tolist() == [1.0, 0.5]
    assert model.mae_loss(frames, targets, hidden, padding, masked_share=1.0).loss.item() == pytest.approx(
        masked, rel=1e-5
    )


def test_row_weights_are_the_published_and_sum_to_one():
    assert sum(ROW_WEIGHTS) == pytest.approx(1, abs=1e-6)
    assert small(n_codebooks=8).row_weights == pytest.approx(ROW_WEIGHTS)
    assert sum(small().row_weights) == pytest.approx(1)
    assert small(targets="kmeans").row_weights == (1.0,)
    assert small(targets="both").row_names == ("row1", "row2", "clusters")
    assert small(targets="both", n_clusters=9).row_sizes == (16, 16, 9)


def test_the_input_is_standardised():
    encoder = made().encoders[0]
    clips = [torch.randn(5, n) * 3 + 7 for n in (50, 80)]
    encoder.measure(clips)
    numbers = (torch.cat(clips, 1).T - encoder.frame_mean) / encoder.frame_std
    torch.testing.assert_close(numbers.mean(0), torch.zeros(5), atol=1e-4, rtol=0)
    torch.testing.assert_close(numbers.std(0, correction=0), torch.ones(5), atol=1e-4, rtol=0)
    encoder.measure([torch.ones(5, 3)])
    assert encoder.frame_std.min() > 0


def test_codes_can_be_the_input_as_sums_of_their_vectors():
    model = made(frames="quantised")
    table = model.encoders[0].codebooks.normal_()
    codes = torch.randint(16, (1, 3, 6))  # one row more than the model reads
    torch.testing.assert_close(
        model.encoders[0].numbers(codes)[0, 2], table[0, codes[0, 0, 2]] + table[1, codes[0, 1, 2]]
    )
    assert model(codes).hidden.shape == (1, 1, 6, 16)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (torch.zeros(1, 4, 9), "5 numbers a frame"),
        (torch.zeros(5, 9), "must be"),
        (torch.zeros(1, 5, 33), "max_positions=32"),
    ],
)
def test_frames_that_do_not_fit_are_refused(frames, message):
    with pytest.raises(AudioformerError, match=message):
        made(max_positions=32)(frames)


def test_what_a_model_cannot_do_is_refused():
    frames, targets, hidden, padding = batch()
    with pytest.raises(AudioformerError, match="no decoder"):
        build(small(), heads=False).decode(frames, hidden)
    with pytest.raises(AudioformerError, match="leave the argument rows out"):
        made()(frames, rows=[0])
    with pytest.raises(AudioformerError, match="must be"):
        made().mae_loss(frames, targets[:, :1], hidden, padding)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": "mels"}, "nearest: mel256"),
        ({"targets": "words"}, "codes, kmeans, both"),
        ({"d_model": 15}, "even"),
        ({"n_heads": 99}, "at most"),
        ({"n_codebooks": 9}, "weights are known for 8"),
        ({"n_layers": 0}, "at least 1"),
        ({"shared_ff": 1}, "true or false"),
    ],
)
def test_sizes_that_cannot_work_are_refused(changes, message):
    with pytest.raises(AudioformerError, match=message):
        small(**changes)
    with pytest.raises(AudioformerError, match="nearest"):
        mae_preset("bas")


def test_the_same_classifier_takes_both():
    model, (frames, _, _, padding) = made(), batch()
    classifier = Classifier.from_pretrained(model, 3).eval()
    out = classifier(frames, padding, need_frames=True)
    hidden = model(frames, padding).hidden[:, 0]
    torch.testing.assert_close(out.embedding[2], hidden[2, :20].mean(0))
    torch.testing.assert_close(out.logits[2], out.frame_logits[2, :20].mean(0), atol=1e-5, rtol=1e-4)
    assert out.frame_logits.shape == (3, 40, 3)
    assert torch.equal(out.frame_padding, padding)
    with pytest.raises(AudioformerError, match="rows='summed' has one vector per clip"):
        classifier(frames, padding, need_rows=True)


def test_frames_can_be_taken_away_but_one_stays():
    whole = collate_frames([torch.ones(5, 4), torch.ones(5, 2)])
    less = whole.hide([torch.tensor([True, False, True, False]), torch.tensor([True, True])])
    assert less.padding.tolist() == [[True, False, True, False], [False, False, True, True]]
    assert whole.lengths.tolist() == [4, 2]


@pytest.mark.parametrize("clips", [[], [torch.ones(5, 0)], [torch.ones(5, 2), torch.ones(4, 2)], [torch.ones(5)]])
def test_clips_that_make_no_batch_are_refused(clips):
    with pytest.raises(AudioformerError, match="clips must all be"):
        collate_frames(clips)


def test_mel_frames_by_the_definition():
    """One frame, computed the long way: mean out, pre-emphasis, Hann, DFT, triangles, logarithm."""
    samples = tone(1000.0, 0.2)[0].double()
    mels = kaldi_log_mel(samples[None].float(), 24_000, 320)
    assert mels.shape == (1, 256, 15)
    t = 6
    frame = samples[t * 320 - 160 : t * 320 + 480].numpy()
    frame = frame - frame.mean()
    frame = frame - 0.97 * np.concatenate([frame[:1], frame[:-1]])
    frame = frame * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(640) / 639))
    turns = np.exp(-2j * np.pi * np.outer(np.arange(513), np.arange(640)) / 1024)
    power = np.abs(turns @ frame) ** 2
    expected = np.log(np.maximum(kaldi_filters(24_000, 1024).double().numpy() @ power, np.finfo(np.float32).eps))
    np.testing.assert_allclose(mels[0, :, t].numpy(), expected, atol=5e-3)


def test_mel_bands_lie_where_kaldi_puts_them():
    filters = kaldi_filters(24_000, 1024)
    assert filters.shape == (256, 513)
    assert filters.max() <= 1
    assert filters[:, 0].abs().max() == 0  # nothing below 20 Hz
    loudest = int(kaldi_log_mel(tone(4000.0), 24_000, 320)[0, :, 10].argmax())
    mel = [1127 * math.log1p(hz / 700) for hz in (20, 4000, 12000)]
    assert loudest + 1 == pytest.approx((mel[1] - mel[0]) / (mel[2] - mel[0]) * 257, abs=1.5)


def test_frames_go_with_the_codes_column_by_column():
    codec, wave = tiny_codec(), tone(440.0, 0.31)
    codes = codec.encode(wave, 24_000)
    latents, mels = (sound_frames(kind, codec, wave, 24_000) for kind in ("latents", "mel256"))
    assert latents.shape[2] == mels.shape[2] == codes.shape[2]
    assert latents.shape[1] == codec.codebooks().shape[2]
    assert torch.equal(codec.rvq.quantise(latents.transpose(1, 2), 3), codes)
    with pytest.raises(AudioformerError, match="nearest: mel256"):
        sound_frames("mel", codec, wave, 24_000)


@pytest.mark.parametrize("n_samples", [1, 319, 320, 321, 5000])
def test_frames_of_any_length(n_samples):
    codec = tiny_codec()
    wave = torch.randn(1, n_samples) * 0.1
    for kind in ("latents", "mel256"):
        found = sound_frames(kind, codec, wave, 24_000)
        assert found.shape[2] == -(-n_samples // 320)
        assert torch.isfinite(found).all()


def test_a_model_reads_what_it_was_made_for():
    from audioformer.audio import Waveform

    codec, wave = tiny_codec(), Waveform(tone(440.0), 24_000)
    width = codec.codebooks().shape[2]
    assert EncodecMAE(small(frame_width=width)).read(codec, wave).shape[1] == width
    assert EncodecMAE(small(frames="mel256", frame_width=256)).read(codec, wave).shape[1] == 256
    assert EncodecMAE(small(frames="quantised")).read(codec, wave).dtype == torch.int64
    assert build(preset("test", n_codebooks=2)).read(codec, wave).shape[1] == 2

    class Clip:
        codes = torch.zeros(3, 4)

    with pytest.raises(AudioformerError, match="holds codes only; prepare it with --frames latents"):
        EncodecMAE(small()).inputs(Clip())
    Clip.frames = torch.zeros(256, 4)
    with pytest.raises(AudioformerError, match="holds frames of 256 numbers"):
        EncodecMAE(small()).inputs(Clip())
