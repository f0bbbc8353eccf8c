"""Guessing and filling hidden codes; changing codes by hand."""

import math

import pytest
import torch
from tiny import tiny_codec

from audioformer.errors import AudioformerError
from audioformer.explain import edit as editing
from audioformer.explain.edit import Edit
from audioformer.explain.fill import fill, fill_in_steps, guess, hidden_log_probabilities, random_gap
from audioformer.masking import mask_positions
from audioformer.model import AudioFormer
from audioformer.recipes import preset
from audioformer.tokens import wrap

SIZE = 16


def model(rows="summed", **changes):
    torch.manual_seed(3)
    made = AudioFormer(preset("test", rows=rows, n_codebooks=3, codebook_size=SIZE, **changes)).eval()
    for parameter in made.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)  # far from the uniform answers of fresh weights
    return made


@pytest.fixture
def codes():
    return torch.randint(0, SIZE, (3, 40), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def gap():
    gap = torch.zeros(3, 40, dtype=torch.bool)
    gap[:, 10:14] = gap[1, 30] = True
    return gap


@pytest.mark.parametrize("rows", ["summed", "shared", "separate"])
@torch.no_grad()
def test_guesses_are_the_losses_of_pre_training(rows, codes, gap):
    one = model(rows)
    found = guess(one, codes, gap)
    truth = wrap(codes[None], codebook_size=SIZE)
    masked, target_mask = mask_positions(truth, gap)
    vectors = one(masked).hidden
    expected = []
    for k in range(3):
        logits = one.mlm_logits(vectors[:, 0 if rows == "summed" else k][target_mask[:, k]], k)[:, :SIZE]
        expected.append(logits.log_softmax(-1).gather(1, truth.tokens[:, k][target_mask[:, k]][:, None])[:, 0])
    torch.testing.assert_close(found.log_p, torch.cat(expected), rtol=1e-4, atol=1e-5)
    assert found.places.tolist() == gap.nonzero().tolist()
    assert found.chance == math.log(SIZE)
    assert found.surprise == pytest.approx(-float(torch.cat(expected).mean()), abs=1e-4)


def test_rank_top_guesses_and_truth_agree(codes, gap):
    found = guess(model(), codes, gap, top_k=SIZE)
    torch.testing.assert_close(found.top_p.sum(1), torch.ones(13))
    for place, rank, top, log_p, p in zip(
        found.places, found.rank, found.top_codes, found.log_p, found.top_p, strict=True
    ):
        at = top.tolist().index(int(codes[tuple(place)]))
        assert at + 1 == rank
        assert float(p[at]) == pytest.approx(float(log_p.exp()), rel=1e-4)
    assert found.accuracy == pytest.approx(float((found.rank == 1).float().mean()))


def test_what_is_hidden_is_never_read(codes, gap):
    other = torch.where(gap, (codes + 5) % SIZE, codes)
    one = model()
    torch.testing.assert_close(hidden_log_probabilities(one, codes, gap), hidden_log_probabilities(one, other, gap))
    assert fill(one, codes, gap).equal(fill(one, other, gap))


def test_long_clips_are_read_in_windows(codes, gap):
    one = model()
    in_windows = hidden_log_probabilities(one, codes, gap, window=16)
    alone = hidden_log_probabilities(one, codes[:, 8:24], gap[:, 8:24])  # the window whose middle is nearest to 10-13
    rows = gap.nonzero()
    near = (rows[:, 1] >= 10) & (rows[:, 1] < 14)
    frames_8_to_11 = near & (rows[:, 1] >= 12)
    assert in_windows.shape == (13, SIZE)
    inside = (gap[:, 8:24].nonzero()[:, 1] + 8) >= 12
    torch.testing.assert_close(in_windows[frames_8_to_11], alone[inside], rtol=1e-4, atol=1e-5)


def test_one_shot_takes_the_best_guess_everywhere(codes, gap):
    one = model()
    filled = fill(one, codes, gap)
    assert filled[~gap].equal(codes[~gap])
    assert filled[gap].equal(hidden_log_probabilities(one, codes, gap).argmax(1))


def test_filling_in_steps_keeps_the_surest_and_asks_again(codes, gap):
    one = model()
    stepwise = fill(one, codes, gap, n_steps=13)
    surest = hidden_log_probabilities(one, codes, gap).max(1)
    place = tuple(gap.nonzero()[surest.values.argmax()])
    assert stepwise[place] == surest.indices[surest.values.argmax()]
    rest = gap.clone()
    rest[place] = False
    known = torch.where(rest, codes, stepwise)
    known[~gap] = codes[~gap]
    again = hidden_log_probabilities(one, known, rest).max(1)
    second = tuple(rest.nonzero()[again.values.argmax()])
    assert stepwise[second] == again.indices[again.values.argmax()]


def test_every_place_has_the_step_that_filled_it(codes, gap):
    filled, step_of = fill_in_steps(model(), codes, gap, n_steps=4)
    assert filled.equal(fill(model(), codes, gap, n_steps=4))
    assert (step_of > 0).equal(gap)
    counts = [int((step_of == step).sum()) for step in range(1, 5)]
    assert sum(counts) == 13
    assert counts[0] < counts[-1]  # a cosine: few at first
    first = hidden_log_probabilities(model(), codes, gap).max(1).values
    assert first[step_of[gap] == 1].min() >= first[step_of[gap] > 1].max()  # the surest


def test_a_random_gap_is_that_of_pre_training(codes):
    gap = random_gap(codes, 0.25, 5, seed=0, same_frames=True, codebook_size=SIZE)
    assert gap.sum(1).tolist() == [10, 10, 10]
    assert gap[0].equal(gap[2])
    assert gap.equal(random_gap(codes, 0.25, 5, 0, True, SIZE))
    assert not gap.equal(random_gap(codes, 0.25, 5, 1, True, SIZE))


def test_mistakes_are_explained(codes, gap):
    with pytest.raises(AudioformerError, match="nothing is hidden"):
        guess(model(), codes, torch.zeros_like(gap))
    with pytest.raises(AudioformerError, match=r"\(3, 40\) and target_mask \(2, 40\)"):
        guess(model(), codes, gap[:2])
    with pytest.raises(AudioformerError, match="n_steps=0"):
        fill(model(), codes, gap, n_steps=0)


# --- editing


@pytest.fixture(scope="module")
def codec():
    return tiny_codec()


def test_silence_is_what_the_codec_writes_for_silence(codec, codes):
    changed = editing.apply(codes, [Edit("silence", 5, 10, row=2)], codec)
    silent = codec.encode(torch.zeros(24_000), 24_000)[0, :, 40]
    assert (changed[1, 5:15] == silent[1]).all()
    kept = torch.ones(3, 40, dtype=torch.bool)
    kept[1, 5:15] = False
    assert changed[kept].equal(codes[kept])


def test_a_shuffle_keeps_the_codes_and_their_columns(codec, codes):
    changed = editing.apply(codes, [Edit("shuffle", 0, 40, seed=4)], codec)
    assert not changed.equal(codes)
    assert sorted(map(tuple, changed.T.tolist())) == sorted(map(tuple, codes.T.tolist()))


def test_a_copy_is_laid_over_and_cut_at_the_end(codec, codes):
    changed = editing.apply(codes, [Edit("copy", 0, 10, to=35), Edit("copy", 2, 4, row=1, to=4)], codec)
    assert changed[1:, 35:].equal(codes[1:, :5])
    assert changed[0, 4:8].equal(codes[0, 2:6])
    assert changed[1, 4:8].equal(codes[1, 4:8])
    assert changed.shape == codes.shape


@pytest.mark.parametrize(
    "edit",
    [
        Edit("melt", 0, 1),
        Edit("silence", 40, 1),
        Edit("silence", 0, 41),
        Edit("shuffle", 0, 3, row=4),
        Edit("copy", 0, 3, to=40),
    ],
)
def test_edits_that_do_not_fit_are_refused(codec, codes, edit):
    with pytest.raises(AudioformerError, match="does not fit codes of 3 rows and 40 frames"):
        editing.apply(codes, [edit], codec)
