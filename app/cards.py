"""Results and messages as HTML. Everything that came from outside (file names, labels, errors) is escaped here."""

from __future__ import annotations

from html import escape
from uuid import uuid4

from audioformer_app.analysis import Analysis, Verdict
from audioformer_app.answers import Answer, words
from audioformer_app.taught import plain

STRANGE = "It is unlike the sounds that this model learnt from: perhaps it is none of its classes."
SOUNDING = ("sure", "unsure")  # kinds of answers to sounds that are loud enough


def verdict_card(analysis: Analysis | None) -> str:
    """The labels of a clip with their probabilities, and what they belong to."""
    eyebrow = "<p class='af-eyebrow'>What is it?</p>"
    if analysis is None:
        text = "<p class='af-top'>No sound yet</p><p class='af-meta'>Choose a sample, drop a file, or record.</p>"
        return f"<section class='af-card af-verdict'><div>{eyebrow}{text}</div></section>"
    clip, verdict = analysis.clip, analysis.verdict
    notes = [
        f"<span class='af-file'>{escape(clip.name)}</span>",
        f"{analysis.duration_s:.2f} s",
        *([f"a computed sample of <b>{escape(words(clip.truth))}</b>"] if clip.truth else []),
        *map(escape, analysis.notes),
    ]
    if verdict is None:
        top = "<p class='af-top'>No checkpoint</p>"
        notes.append("this installation came without trained checkpoints; codes and sounds work all the same")
        bars = ""
    else:
        top = _headline(verdict, analysis.answer)
        if verdict.strange and analysis.answer.kind in SOUNDING and not clip.truth:
            top += f"<p class='af-remark af-strange'>{STRANGE}</p>"
        notes.append(f"checkpoint <b>{escape(plain(verdict.checkpoint))}</b>")
        bars = _bars(verdict)
    left = f"<div>{eyebrow}{top}<p class='af-meta'>{' · '.join(notes)}</p></div>"
    return f"<section class='af-card af-verdict' aria-label='What is it?'>{left}<div>{bars}</div></section>"


def _headline(verdict: Verdict, answer: Answer) -> str:
    """The answer, and what to make of it; the names of all classes can be read by pointing at it."""
    detail = f" <small>{escape(answer.detail)}</small>" if answer.detail else ""
    names = escape(", ".join(map(words, verdict.label_names[:60])))
    return (
        f"<p class='af-top af-{answer.kind}' data-top='{escape(verdict.labels[0])}'>{escape(answer.text)}{detail}</p>"
        f"<p class='af-remark' title='Its classes: {names}'>{escape(answer.remark)}</p>"
    )


def _bars(verdict: Verdict) -> str:
    """A list of bars; a tick marks chance where exactly one label is right."""
    if verdict.multi_label:
        tick, legend = "", "each label on its own scale: sounds may overlap"
    else:
        chance = 1 / len(verdict.label_names)
        tick, legend = f"<i class='af-chance' style='left:{chance:.1%}'></i>", f"tick: chance, {chance:.0%}"
    rows = [
        f"<li data-label='{escape(label)}' data-probability='{probability:.4f}'>"
        f"<span class='af-name'>{escape(words(label))}</span>"
        f"<span class='af-track'><i class='af-fill' style='width:{probability:.1%}'></i>{tick}</span>"
        f"<span class='af-value'>{probability:.1%}</span></li>"
        for label, probability in zip(verdict.labels, verdict.probabilities, strict=True)
    ]
    return f"<ol class='af-bars'>{''.join(rows)}</ol><p class='af-legend'>{legend}</p>"


def message_card(text: str = "", shown: Analysis | None = None) -> str:
    """A message about what went wrong, and what the page still shows; empty text gives an empty card.

    Each is another, even of the same words: the page hides a message at the next thing that somebody does.
    """
    if not text:
        return ""
    still = f"<span>Still shown: <b>{escape(shown.clip.name)}</b></span>" if shown is not None else ""
    return f"<div class='af-message' role='alert' data-told='{uuid4().hex}'><p>{escape(text)}</p>{still}</div>"


def codec_note(name: str, licence: str, n_codebooks: int, kbps: float, frame_rate: float) -> str:
    """One line about the chosen codec."""
    return (
        f"<p class='af-note'><b>{escape(name)}</b>: {n_codebooks} codebooks, {frame_rate:g} frames/s, "
        f"{kbps:g} kbit/s. Weights: {escape(licence)}</p>"
    )


NO_ENCODEC = (
    "<p class='af-note'>EnCodec 24 kHz (CC BY-NC 4.0: not for commercial use) is offered here once its weights are on "
    "this computer.</p>"
)
