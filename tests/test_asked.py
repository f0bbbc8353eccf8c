"""Many people, the same samples: an answer is computed once, whoever asks."""

from __future__ import annotations

import json
import threading
from copy import deepcopy
from types import SimpleNamespace

import pytest
from app_weights import make_weights

from audioformer_app import analysis, events, models, samples
from audioformer_app.asked import Asked


@pytest.fixture(scope="module")
def offered(tmp_path_factory):
    return make_weights(tmp_path_factory.mktemp("weights"))


def asked(**data):
    return SimpleNamespace(_data=data)


def picked(page, index=0):
    return page.pick(None, "small", "animals", asked(index=index))


def test_a_sample_that_many_pick_at_once_is_coded_once_and_each_page_has_a_token_of_its_own(offered, monkeypatch):
    page, real, calls = events.Page(models.Models(*offered), samples.list_samples()), analysis.analyse, []
    together, answers = threading.Barrier(8), []

    def analyse(*arguments):
        calls.append(arguments[1])
        return real(*arguments)

    def pick():
        together.wait()
        answers.append(picked(page))

    monkeypatch.setattr(analysis, "analyse", analyse)
    threads = [threading.Thread(target=pick) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls == [0]
    states = [answer["state"] for answer in answers]
    assert len({state.token for state in states}) == 8
    assert all(state.samples is states[0].samples for state in states)
    for answer in answers:
        assert json.loads(answer["view"])["token"] == answer["state"].token
    lone = json.loads(events.handlers.clip_view(states[0], page.models))
    assert {**json.loads(answers[5]["view"]), "token": lone["token"]} == lone
    assert deepcopy(states[0]) is states[0]  # as Gradio copies what a page begins with
    picked(page, 1)
    page.pick(None, "bigger", "animals", asked(index=0))
    assert calls == [0, 1, 0]


def test_the_same_question_about_the_same_sample_is_computed_once_and_of_an_own_sound_nothing_is_kept(
    offered, monkeypatch
):
    page, counted, real = events.Page(models.Models(*offered), samples.list_samples()), [], events.ROOMS["attention"]

    def look(shown, data, known):
        counted.append(data)
        return real["look"](shown, data, known)

    monkeypatch.setitem(events.ROOMS, "attention", {"look": look})
    ask, first, second = page.ask("attention"), picked(page)["state"], picked(page)["state"]
    question = asked(what="look", layer=0, head=0)
    replies = [json.loads(ask(shown, question)["view"]["reply"]) for shown in (first, second)]
    assert [reply["token"] for reply in replies] == [first.token, second.token]
    assert len(counted) == 1
    assert {**replies[0], "token": 0, "answer": 0} == {**replies[1], "token": 0, "answer": 0}
    ask(second, asked(what="look", layer=0, head=1))
    assert len(counted) == 2
    own = analysis.analyse(first.clip, -1, "small", "animals", page.models)
    assert [json.loads(ask(own, question)["view"]["reply"])["token"] for _ in range(2)] == [own.token] * 2
    assert len(counted) == 4


def test_so_much_is_kept_and_what_fails_is_asked_again():
    kept = Asked(most_bytes=100)
    clip = analysis.Analysis("t", None, 0, "", None, 1, None, 1.0, 1.0, None, origin="o" * 32)
    assert kept.text(clip, ("long",), lambda one: one.token + "x" * 60) == "t" + "x" * 60
    kept.text(clip, ("also long",), lambda _: "y" * 80)
    assert kept.text(clip, ("long",), lambda _: "computed again") == "computed again"
    assert kept.n_bytes <= 100
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            kept.text(clip, ("wrong",), lambda _: str(1 / 0))
