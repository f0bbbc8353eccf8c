"""Checks of exercises: right answers in other words are accepted, wrong ones refused, what is missing is named."""

import pytest
import torch
from right_answers import RIGHT
from wrong_answers import WRONG

from audioformer import teaching
from audioformer.teaching import n14_live


def answer_of(name, answer, capsys):
    teaching.check(name, answer)
    return capsys.readouterr().out


def cases(table):
    return [(name, words) for name, answers in table.items() for words in answers]


def test_every_exercise_is_tried_with_right_and_wrong_answers():
    assert sorted(RIGHT) == sorted(WRONG) == sorted(teaching.CHECKS)
    assert len(cases(RIGHT)) + len(cases(WRONG)) >= 220


@pytest.mark.parametrize(("name", "words"), cases(RIGHT))
def test_a_right_answer_in_other_words_is_accepted(name, words, capsys):
    assert answer_of(name, RIGHT[name][words], capsys) == f"✓ {name}\n"


@pytest.mark.parametrize(("name", "words"), cases(WRONG))
def test_a_wrong_answer_is_refused(name, words, capsys):
    assert answer_of(name, WRONG[name][words], capsys).startswith(f"✗ {name}: ")


def test_a_forgotten_return_is_named(capsys):
    def forgetful(n_samples, hop_length):
        n_samples // hop_length  # noqa: B018 - what a learner may write

    assert "returned nothing" in answer_of("codec.n_frames", forgetful, capsys)


def test_the_case_that_fails_is_shown(capsys):
    assert "case 3 (321, 320), yours 1, expected 2" in answer_of("codec.n_frames", lambda n, hop: n // hop, capsys)


@pytest.mark.parametrize("written", ["{}", "({})", " {}. "])
def test_a_letter_is_read_as_it_is_printed(written, capsys):
    letter = teaching.QUIZ["codes.longer_clip"].right
    teaching.quiz("codes.longer_clip", written.format(letter.upper()))
    assert capsys.readouterr().out.startswith("✓ codes.longer_clip")


def test_the_last_answer_of_a_quiz_does_not_follow_from_the_first_two():
    """In some quizzes a letter is right twice."""
    letters = [[question.right for question in notebook.QUIZ.values()] for notebook in teaching.NOTEBOOKS]
    repeated = sum(len(set(three)) < 3 for three in letters)
    assert len(letters) / 4 < repeated < len(letters)


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
