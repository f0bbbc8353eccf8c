"""Checks of exercises: right answers in other words are accepted, wrong ones refused, what is missing is named."""

import math

import pytest
import torch
from torch.nn import functional as F

from audioformer import teaching
from audioformer.teaching import n14_live


def answer_of(name, answer, capsys):
    teaching.check(name, answer)
    return capsys.readouterr().out


def nearest(latents, codebook):
    return torch.cdist(latents, codebook).argmin(1)


def residual_in_place(latents, codebooks):
    rows = []
    for codebook in codebooks:
        rows.append(nearest(latents, codebook))
        latents -= codebook[rows[-1]]
    return torch.stack(rows)


def residual_list(latents, codebooks):
    return list(residual_in_place(latents.clone(), codebooks))


def simpson_like(points):
    def integral(slope, start, end, n_steps):
        places = points(n_steps)
        return torch.stack([slope(start + p * (end - start)) for p in places]).mean(0) * (end - start)

    return integral


RIGHT = {
    "in place on the argument": ("rvq.residual_codes", residual_in_place),
    "a list of tensors": ("rvq.residual_codes", residual_list),
    "plain numbers": ("rvq.nearest", lambda latents, book: nearest(latents, book).tolist()),
    "math.ceil": ("codec.n_frames", lambda n, hop: math.ceil(n / hop)),
    "arithmetic": ("live.known", lambda n, hop, look_ahead: max(n - look_ahead, 0) // hop),
    "middles": ("why.integral", simpson_like(lambda n: [(i + 0.5) / n for i in range(n)])),
    "cosine": ("rulers.nearest", lambda x, y, q: y[(F.normalize(q) @ F.normalize(x).T).argmax(1)]),
}
WRONG = {
    "no rest": ("rvq.residual_codes", lambda latents, books: torch.stack([nearest(latents, b) for b in books])),
    "transposed": ("rvq.residual_codes", lambda latents, books: residual_in_place(latents.clone(), books).T),
    "one midpoint": ("why.integral", simpson_like(lambda _: [0.5])),
    "both ends": ("why.integral", simpson_like(lambda _: [0.0, 1.0])),
    "ends and between": ("why.integral", simpson_like(lambda n: torch.linspace(0, 1, n).tolist())),
    "no look-ahead, one hop less": ("live.known", lambda n, hop, _: max(0, n // hop - 1)),
    "look-ahead of one hop": ("live.known", lambda n, hop, _: max(0, (n - hop) // hop)),
    "look-ahead in hops": ("live.known", lambda n, hop, ahead: max(0, n // hop - ahead // hop)),
    "product for cosine": ("rulers.nearest", lambda x, y, q: y[(q @ x.T).argmax(1)]),
    "distance for cosine": ("rulers.nearest", lambda x, y, q: y[torch.cdist(q, x).argmin(1)]),
    "rounded down": ("masking.n_hidden", lambda n, share: max(1, int(n * share))),
    "rounded up": ("masking.n_hidden", lambda n, share: max(1, math.ceil(n * share))),
    "frames rounded down": ("codec.n_frames", lambda n, hop: n // hop),
}


@pytest.mark.parametrize("case", RIGHT)
def test_a_right_answer_in_other_words_is_accepted(case, capsys):
    name, answer = RIGHT[case]
    assert answer_of(name, answer, capsys) == f"✓ {name}\n"


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_answer_is_refused(case, capsys):
    name, answer = WRONG[case]
    assert answer_of(name, answer, capsys).startswith(f"✗ {name}: case ")


def test_a_forgotten_return_is_named(capsys):
    def forgetful(n_samples, hop_length):
        n_samples // hop_length  # noqa: B018 - what a learner may write

    assert "returned nothing" in answer_of("codec.n_frames", forgetful, capsys)


def test_the_case_that_fails_is_shown(capsys):
    assert "case 3 (321, 320), yours 1, expected 2" in answer_of("codec.n_frames", lambda n, hop: n // hop, capsys)


@pytest.mark.parametrize("answer", ["b", "(b)", " B. "])
def test_a_letter_is_read_as_it_is_printed(answer, capsys):
    teaching.quiz("codes.longer_clip", answer)
    assert capsys.readouterr().out.startswith("✓ codes.longer_clip")


def test_the_last_answer_of_a_quiz_does_not_follow_from_the_first_two():
    """In some quizzes a letter is right twice."""
    letters = [[right for right, _ in notebook.QUIZ.values()] for notebook in teaching.NOTEBOOKS]
    repeated = sum(len(set(three)) < 3 for three in letters)
    assert len(letters) / 2 < repeated < len(letters)


@pytest.mark.parametrize("n_samples", [100, 639, 640, 5000])
def test_the_formula_of_live_known_is_that_of_a_stream(n_samples):
    """The small codec's look-ahead is one hop."""
    from audioformer.codecs.compact import CompactCodec, CompactConfig

    sizes = CompactConfig(
        hop_length=320,
        n_codebooks=1,
        codebook_size=4,
        d_latent=2,
        d_encoder=2,
        n_encoder_blocks=1,
        d_decoder=2,
        n_decoder_blocks=1,
    )
    stream = CompactCodec(sizes).eval().stream()
    stream.push(torch.zeros(n_samples))
    assert n14_live.CHECKS["live.known"].reference(n_samples, 320, 320) == stream.n_frames
