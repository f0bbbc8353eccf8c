"""What an answer hangs on: occlusion, integrated gradients, and which of them to believe."""

import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import pytest
import torch
from tiny import tiny_codec

from audioformer.classifier import Classifier
from audioformer.classify import AudioClassifier
from audioformer.errors import AudioformerError
from audioformer.explain.attention import attention_maps, rollout, rollout_frames
from audioformer.explain.faithfulness import (
    block_order,
    curves,
    frames_of,
    held_against,
    random_order,
    silenced,
    sounding,
)
from audioformer.explain.gradients import Gradients, integrated_gradients, line_integral, log_odds, token_vectors
from audioformer.explain.occlusion import hidden_probabilities, occlusion, row_falls
from audioformer.recipes import preset
from audioformer.tokens import wrap

SIZE, TELLING = 16, 5  # entries of a codebook; the one that the planted model listens for
ROWS = ("summed", "shared", "separate")


def wrapped(classifier, multi_label=False, window_s=1.0):
    config = {"label_names": list("abcd"), "multi_label": multi_label, "window_s": window_s}
    return AudioClassifier(classifier, tiny_codec(), config, "tiny")


def drawn(rows="summed", **config):
    """A model with weights drawn at random: 75 frames a window."""
    torch.manual_seed(1)
    made = Classifier(preset("test", rows=rows, n_codebooks=3, codebook_size=SIZE), 4).eval()
    for parameter in made.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return wrapped(made, **config)


def planted(window_s=1.0):
    """A model of which is known why: class 1 grows with the share of frames that have code 5 in row 1, no other."""
    made = Classifier(preset("test", rows="summed", n_codebooks=3, codebook_size=SIZE), 4).eval()
    encoder = made.backbone.encoders[0]
    for block in encoder.blocks:
        for layer in (block.attention.out, block.contract):
            torch.nn.init.zeros_(layer.weight)
    for table in (*encoder.embeddings.tables, encoder.embeddings.row_table, made.head):
        torch.nn.init.zeros_(table.weight)
    encoder.embeddings.row_table.weight.data[0, :2] = torch.tensor([1.0, -1.0])
    encoder.embeddings.tables[0].weight.data[TELLING, 2:4] = torch.tensor([2.0, -2.0])
    made.head.weight.data[1, 2:4] = torch.tensor([5.0, -5.0])
    return wrapped(made, window_s=window_s)


@pytest.fixture
def codes():
    return torch.randint(0, SIZE, (3, 100), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def telling():
    """Code 5 in row 1 from frame 20 to 30, and nowhere else in that row; in the others it means nothing."""
    codes = torch.full((3, 60), 3)
    codes[0, 20:30] = TELLING
    codes[1, 40:50] = TELLING
    return codes


def gap(codes, rows=slice(None), frames=slice(None)):
    hidden = torch.zeros(codes.shape, dtype=torch.bool)
    hidden[rows, frames] = True
    return hidden


# --- occlusion


@pytest.mark.parametrize("rows", ROWS)
def test_what_is_hidden_is_what_the_classifier_does_not_see(rows, codes):
    clf = drawn(rows)
    ends = gap(codes, frames=slice(90, 91))
    hidden = [gap(codes, frames=slice(10, 30)), gap(codes, rows=1), gap(codes), torch.zeros_like(ends), ends]
    found = hidden_probabilities(clf, codes, hidden)
    expected = torch.stack([clf.classify_codes(codes, one).probabilities for one in hidden])
    torch.testing.assert_close(found, expected)


def test_windows_that_look_alike_are_read_once(codes, monkeypatch):
    from audioformer.explain import occlusion as module

    clf, asked, real = drawn(), [], module.predict_codes

    def counted(model, clips, *rest, **named):
        asked.append(len(clips))
        return real(model, clips, *rest, **named)

    monkeypatch.setattr(module, "predict_codes", counted)
    nothing = torch.zeros_like(gap(codes))
    hidden_probabilities(clf, codes, [nothing, nothing, gap(codes, frames=slice(0, 5))])  # windows at 0 and 25
    assert asked == [3]


def test_several_threads_find_the_same_without_gradients(codes):
    clf = drawn()
    hidden = [gap(codes, frames=slice(start, start + 5)) for start in range(0, 100, 4)]  # more than one batch
    expected = hidden_probabilities(clf, codes, hidden)
    with ThreadPoolExecutor(2) as crew:
        clf.map_batches = crew.map
        found = hidden_probabilities(clf, codes, hidden)
        if find_spec("captum"):
            torch.testing.assert_close(
                integrated_gradients(clf, codes, 1, 4).codes, integrated_gradients(drawn(), codes, 1, 4).codes
            )
    torch.testing.assert_close(found, expected)
    assert not found.requires_grad


def test_falls_belong_to_their_stretches(codes):
    clf = drawn()
    found = occlusion(clf, codes, label=2, span=30)
    assert found.spans.tolist() == [[0, 30], [30, 60], [60, 90], [90, 100]]
    whole = float(clf.classify_codes(codes).probabilities[2])
    assert found.probability == pytest.approx(whole, abs=1e-6)
    assert found.nothing == pytest.approx(float(clf.classify_codes(codes, gap(codes)).probabilities[2]), abs=1e-6)
    without = float(clf.classify_codes(codes, gap(codes, frames=slice(60, 90))).probabilities[2])
    assert float(found.falls[2]) == pytest.approx(whole - without, abs=1e-6)
    without = float(clf.classify_codes(codes, gap(codes, rows=1)).probabilities[2])
    assert float(found.rows[1]) == pytest.approx(whole - without, abs=1e-6)
    torch.testing.assert_close(found.frames, found.falls.repeat_interleave(30)[:100])
    torch.testing.assert_close(row_falls(clf, codes, 2), found.rows)
    alone = occlusion(clf, codes, label=2, span=30, rows=False)
    assert alone.rows is None
    torch.testing.assert_close(alone.falls, found.falls)


def test_stretches_that_overlap_are_averaged(codes):
    found = occlusion(drawn(), codes, span=40, step=20)
    assert found.spans.tolist() == [[0, 40], [20, 60], [40, 80], [60, 100]]
    assert float(found.frames[30]) == pytest.approx(float(found.falls[:2].mean()), abs=1e-6)
    assert found.label == int(drawn().classify_codes(codes).probabilities.argmax())


def test_occlusion_finds_what_was_planted(telling):
    found = occlusion(planted(), telling, label=1, span=10)
    assert found.falls[2] > 0.05
    others = torch.cat([found.falls[:2], found.falls[3:]])
    torch.testing.assert_close(others, torch.zeros_like(others))
    assert found.rows[0] > 0.05
    torch.testing.assert_close(found.rows[1:], torch.zeros(2))


# --- integrated gradients


@pytest.mark.parametrize("rows", ROWS)
def test_a_model_reads_vectors_as_it_reads_tokens(rows, codes):
    model = drawn(rows).classifier
    tokens = wrap(codes[None], codebook_size=SIZE).tokens
    torch.testing.assert_close(model(token_vectors(model, tokens)).logits, model(tokens).logits)


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("rows", ROWS)
def test_shares_add_up_to_the_log_odds(rows, multi_label, codes):
    """Completeness, over two windows."""
    pytest.importorskip("captum", reason='needs Captum: pip install "audioformer[notebooks]"')
    clf = drawn(rows, multi_label=multi_label)
    found = integrated_gradients(clf, codes, 2, n_steps=24)
    assert found.codes.shape == (3, 100)
    assert found.missing == pytest.approx(0, abs=0.02 * max(1, abs(found.whole - found.nothing)))
    windows = clf.classify_codes(codes).window_probabilities[:, 2].double()
    assert found.whole == pytest.approx(float(torch.logit(windows).mean()), abs=1e-4)
    if rows == "separate":  # the classifier reads row 1 alone
        assert found.codes[1:].abs().max() == 0


def test_gradients_find_what_was_planted(telling):
    pytest.importorskip("captum", reason='needs Captum: pip install "audioformer[notebooks]"')
    found = integrated_gradients(planted(), telling, 1)
    assert (found.codes[0, 20:30] > 0.01).all()
    assert found.codes[0, 20:30].sum() == pytest.approx(found.whole - found.nothing, rel=1e-3)
    found.codes[0, 20:30] = 0
    assert found.codes.abs().max() < 1e-6


def test_a_code_of_two_windows_has_their_sum_over_the_number_of_windows():
    """100 frames, windows of 75 at 0 and 25."""
    pytest.importorskip("captum", reason='needs Captum: pip install "audioformer[notebooks]"')
    clf = drawn()
    codes = torch.randint(0, SIZE, (3, 100), generator=torch.Generator().manual_seed(0))
    found = integrated_gradients(clf, codes, 2, 8, 8).codes
    first, second = (integrated_gradients(clf, codes[:, s : s + 75], 2, 8, 8).codes for s in (0, 25))
    expected = torch.zeros(3, 100)
    expected[:, :75] += first / 2
    expected[:, 25:] += second / 2
    torch.testing.assert_close(found, expected)


def test_a_linear_answer_is_shared_out_exactly_at_one_point():
    pytest.importorskip("captum", reason='needs Captum: pip install "audioformer[notebooks]"')
    weights, start, end = (
        torch.tensor([[2.0, -1.0, 0.5]]),
        torch.tensor([[1.0, 1.0, 1.0]]),
        torch.tensor([[2.0, 3.0, 1.0]]),
    )
    shares, n_steps = line_integral(lambda x: (x * weights).sum(1), start, end, 0.0, 1e-6, n_steps=1)
    torch.testing.assert_close(shares, torch.tensor([[2.0, -2.0, 0.0]]))
    assert n_steps == 1


def test_points_are_doubled_until_the_shares_add_up():
    """A step of height 1 that falls between the points: its slope is seen by many points only."""
    pytest.importorskip("captum", reason='needs Captum: pip install "audioformer[notebooks]"')
    start, end = torch.zeros(1, 2), torch.ones(1, 2)

    def step(x):
        return (40 * (x[:, 0] - 0.3)).sigmoid()

    shares, n_steps = line_integral(step, start, end, 1.0, 0.01, n_steps=2)
    assert 8 <= n_steps <= 64
    assert float(shares.sum()) == pytest.approx(1, abs=0.01)
    few, n_steps = line_integral(step, start, end, 1.0, 0.01, n_steps=2, most_steps=4)
    assert n_steps == 4
    assert abs(float(few.sum()) - 1) > 0.01


def test_shares_that_do_not_add_up_are_flagged():
    shares = torch.full((1, 10), 0.19)
    assert Gradients(0, shares + 0.009, 1.0, -1.0, 16).complete
    flagged = Gradients(0, shares - 0.01, 1.0, -1.0, 128)
    assert not flagged.complete
    assert flagged.left_over == pytest.approx(0.1, rel=1e-5)


def test_the_integral_is_that_of_the_equation():
    """Captum against a sum over many points, by hand."""
    pytest.importorskip("captum", reason='needs Captum: pip install "audioformer[notebooks]"')
    clf = drawn()
    codes = torch.randint(0, SIZE, (3, 12), generator=torch.Generator().manual_seed(3))
    tokens = wrap(codes[None], codebook_size=SIZE).tokens
    hidden = tokens.clone()
    hidden[..., 1:-1] = SIZE + 3
    start, end = (token_vectors(clf.classifier, one).detach() for one in (hidden, tokens))
    total = torch.zeros_like(end)
    for point in (torch.arange(400) + 0.5) / 400:
        at = (start + point * (end - start)).requires_grad_()
        total += torch.autograd.grad(log_odds(clf.classifier(at).logits, 1, False)[0], at)[0] / 400
    expected = (total * (end - start)).sum(-1)[0, :, 1:-1]
    torch.testing.assert_close(integrated_gradients(clf, codes, 1, 32).codes, expected, atol=2e-3, rtol=0.02)


def test_captum_comes_without_a_word_on_a_new_machine(tmp_path):
    """Matplotlib, which it imports, has no folder of its own yet and looks for fonts."""
    pytest.importorskip("captum", reason='needs Captum: pip install "audioformer[notebooks]"')
    code = "from audioformer.explain.gradients import _method; print(_method().__name__)"
    fresh = {**os.environ, "MPLCONFIGDIR": str(tmp_path / "none" / "yet")}
    done = subprocess.run([sys.executable, "-c", code], env=fresh, capture_output=True, text=True, timeout=300)
    assert (done.stdout, done.stderr) == ("IntegratedGradients\n", "")


def test_without_captum_it_is_said_what_to_install(monkeypatch, codes):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(AudioformerError, match="need Captum: pip install"):
        integrated_gradients(drawn(), codes, 0)


@pytest.mark.parametrize("multi_label", [False, True])
def test_log_odds_are_those_of_the_probability(multi_label):
    logits = torch.tensor([[0.3, -1.0, 2.0], [4.0, 0.0, 0.5]])
    p = logits.sigmoid() if multi_label else logits.softmax(-1)
    torch.testing.assert_close(log_odds(logits, 1, multi_label), torch.logit(p[:, 1]))


def test_rollout_of_a_long_clip_averages_its_windows(codes):
    clf = drawn()
    shares = [
        rollout(attention_maps(clf.classifier, codes[:, start : start + 75])).mean(0)[1:-1] * 77 for start in (0, 25)
    ]
    found = rollout_frames(clf, codes)
    torch.testing.assert_close(found[:25], shares[0][:25])
    torch.testing.assert_close(found[25:75], (shares[0][25:] + shares[1][:50]) / 2)


# --- faithfulness


def test_curves_begin_and_end_where_they_must(codes):
    clf, order = drawn(), random_order(100, 10, 0)
    found = curves(clf, codes, order, label=1, block=10, n_points=6)
    whole, nothing = (float(clf.classify_codes(codes, one).probabilities[1]) for one in (None, gap(codes)))
    assert found.deletion[[0, -1]].tolist() == pytest.approx([whole, nothing], abs=1e-6)
    assert found.insertion[[0, -1]].tolist() == pytest.approx([nothing, whole], abs=1e-6)
    assert found.share.tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    first = frames_of(order, 0.2, 10, 100).expand(3, -1)
    assert int(first[0].sum()) == 20
    assert float(found.deletion[1]) == pytest.approx(float(clf.classify_codes(codes, first).probabilities[1]), abs=1e-6)


def test_the_right_order_beats_all_others(telling):
    clf = planted()
    right = occlusion(clf, telling, label=1, span=10)
    best = curves(clf, telling, block_order(right.frames, 10), 1, 10, 7)
    wrong = curves(clf, telling, block_order(-right.frames, 10), 1, 10, 7)
    chance = [curves(clf, telling, random_order(60, 10, seed), 1, 10, 7).gain for seed in range(8)]
    assert best.gain > max(chance) - 1e-6
    assert wrong.gain < min(chance) + 1e-6
    assert best.gain == pytest.approx(-wrong.gain, abs=1e-5)  # the other way round, insertion is deletion
    assert best.deletion_area < best.insertion_area


def test_blocks_are_ordered_and_counted_by_hand():
    importance = torch.tensor([1.0, 1.0, 0.0, 0.0, 3.0])
    assert block_order(importance, 2) == [2, 0, 1]
    assert frames_of([2, 0, 1], 2 / 3, 2, 5).tolist() == [True, True, False, False, True]
    assert frames_of([2, 0, 1], 0, 2, 5).sum() == 0
    assert sorted(random_order(5, 2, 1)) == [0, 1, 2]


def test_evidence_alone_keeps_its_codes_and_silences_the_rest():
    codec = tiny_codec()
    codes = codec.encode(
        torch.randn(codec.hop_length * 12, generator=torch.Generator().manual_seed(0)), codec.sample_rate
    )[0]
    kept = torch.zeros(codes.shape[1], dtype=torch.bool)
    kept[3:6] = True
    heard = silenced(codes, kept, codec)
    assert heard[:, 3:6].equal(codes[:, 3:6])
    silent = silenced(codes, torch.zeros_like(kept), codec)
    assert (silent == silent[:, :1]).all()
    assert heard[:, ~kept].equal(silent[:, ~kept])


def test_maps_are_held_against_known_times():
    events = [("dog", 0.1, 0.3), ("rain", 0.0, 1.0), ("dog", 0.8, 0.9)]
    truth = sounding(events, "dog", 10, 10.0)
    assert truth.tolist() == [False, True, True, False, False, False, False, False, True, False]
    assert not sounding(events, "cat", 10, 10.0).any()
    found = held_against(truth.float(), truth)
    assert found == {"hit": 1.0, "precision": 1.0, "chance": pytest.approx(0.3)}
    blind = [held_against(torch.rand(10, generator=torch.Generator().manual_seed(seed)), truth) for seed in range(200)]
    assert sum(one["hit"] for one in blind) / 200 == pytest.approx(0.3, abs=0.1)
    assert held_against(-truth.float(), truth)["precision"] < 0.35


# --- mistakes


def test_mistakes_are_explained(codes):
    clf = drawn()
    with pytest.raises(AudioformerError, match="span=0"):
        occlusion(clf, codes, span=0)
    with pytest.raises(AudioformerError, match="step=9"):
        occlusion(clf, codes, span=5, step=9)
    with pytest.raises(AudioformerError, match="label=4 must be from 0 to 3"):
        occlusion(clf, codes, label=4)
    with pytest.raises(AudioformerError, match="whole numbers"):
        occlusion(clf, codes[:2])
    with pytest.raises(AudioformerError, match="shape of the codes"):
        hidden_probabilities(clf, codes, [gap(codes)[:, :5]])
    with pytest.raises(AudioformerError, match="n_steps=0"):
        integrated_gradients(clf, codes, 0, 0)
    with pytest.raises(AudioformerError, match="finite numbers"):
        block_order(torch.tensor([math.nan]), 1)
    with pytest.raises(AudioformerError, match="each block of 10 in 100 frames once"):
        curves(clf, codes, [0, 0, 1], 0, 10)
    with pytest.raises(AudioformerError, match="something that sounds"):
        held_against(torch.zeros(3), torch.zeros(3, dtype=torch.bool))


def test_a_model_without_codes_is_named():
    from audioformer.encodecmae.config import EncodecMAEConfig

    sizes = EncodecMAEConfig(n_codebooks=3, d_model=16, n_layers=1, n_decoder_layers=1, n_heads=2, d_ff=16)
    with pytest.raises(AudioformerError, match="reads frames of numbers"):
        occlusion(wrapped(Classifier(sizes, 4)), torch.zeros(3, 5, dtype=torch.long))
