"""Mask: hide codes and see what the model makes of it.

Shapes: K codebook rows of the model, T frames, M hidden places, C classes.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from audioformer.errors import AudioformerError
from audioformer.explain.codebook import held_code
from audioformer.explain.edit import silent_column
from audioformer.explain.fill import Guesses, fill_in_steps, guess, random_gap
from audioformer.predict import predict_codes
from audioformer.widgets import lanes
from audioformer.widgets.sounds import wav_base64
from audioformer_app.analysis import Analysis
from audioformer_app.models import Guesser, Models
from audioformer_app.rooms.sent import bits_of, codes_for, grid_bits, number, one_of, whole_number

TOP_K, N_STEPS = 5, 8
SHOWN_CLASSES = 5
AUDIBLE = 10 ** (-70 / 20)  # amplitude: louder than digital silence and what a coder leaves of it
SOUNDS = ("codes", "gap", "oneshot", "steps")


def look(analysis: Analysis, data: dict, models: Models) -> dict:
    """What the model says about a gap.

    Args:
        analysis: the clip.
        data: `random` {ratio, span, seed} or `hidden` (bits of the grid), and `row` whose surprise is drawn (0: the
            mean of all).
        models: open models.

    Returns:
        dict with `lanes`, `hidden` (bits), `rows`, `frames`, `guesses` (per place), `first_look` (the place to show
        first), `summary`, `classes`, and the name of the `guesser`.

    Raises:
        AudioformerError: no pre-trained model here, or values out of range.
    """
    guesser, codes = _codes(analysis, models)
    hidden = _gap(data, codes, guesser)
    row = whole_number(data.get("row", 1), 0, len(codes), "row")
    shown = {"rows": codes.shape[0], "frames": codes.shape[1], "hidden": bits_of(hidden), "ours": guesser.same_frames}
    found = guess(guesser.model, codes, hidden, TOP_K, guesser.window) if hidden.any() else None
    peak = peaks(analysis, codes.shape[1], guesser.codec.frame_rate)
    grid = lanes.codes(
        codes.numpy(), guesser.codec.frame_rate, guesser.ranks, marks=hidden.numpy() * lanes.HIDDEN, id=None
    )
    return {
        **shown,
        "token": analysis.token,
        "frame_rate": guesser.codec.frame_rate,
        "duration_s": analysis.duration_s,
        "lanes": ["mel", {**grid, "weight": 0.5}, _surprise(found, codes.shape[1], row, guesser)],
        "guesses": _places(found),
        "first_look": _first_look(found, peak),
        "summary": _summary(found, hidden, peak > AUDIBLE, guesser),
        "guesser": models.guesser_name,
        "classes": _classes(analysis, codes, hidden, guesser, models),
    }


def listen(analysis: Analysis, data: dict, models: Models) -> dict:
    """The clip's codes as a sound: whole, with the gap, or with the gap filled by the model.

    Args:
        analysis: the clip.
        data: `name` ("codes", "gap", "oneshot", "steps") and `hidden` (bits).
        models: open models.

    Returns:
        dict with `wav`, `name`, `same` (the share of hidden codes that are as they were), `lanes` of what is heard
        (`mel`, and `codes` with right and wrong fillings marked), and `steps`: in which step each place was filled.

    Raises:
        AudioformerError: as `look`.
    """
    guesser, codes = _codes(analysis, models)
    name = one_of(data.get("name"), SOUNDS, "sound")
    hidden = grid_bits(data.get("hidden"), tuple(codes.shape))
    heard, step_of = codes, torch.zeros_like(codes)
    if hidden.any() and name == "gap":
        heard = torch.where(hidden, silent_column(guesser.codec, len(codes)).to(codes)[:, None], codes)
    elif hidden.any() and name != "codes":
        n_steps = 1 if name == "oneshot" else N_STEPS
        heard, step_of = fill_in_steps(guesser.model, codes, hidden, n_steps, guesser.window)
    same = float((heard == codes)[hidden].float().mean()) if hidden.any() else 1.0
    n_samples = round(analysis.duration_s * guesser.codec.sample_rate)
    sound = guesser.codec.decode(heard, n_samples=n_samples)[0].mean(0).numpy()
    marks = hidden.numpy() * (
        lanes.HIDDEN if name == "gap" else np.where((heard == codes).numpy(), lanes.RIGHT, lanes.CHANGED)
    )
    pictures = {
        "mel": {**lanes.mel(sound, guesser.codec.sample_rate), "id": None},
        "codes": lanes.codes(
            heard.numpy(), guesser.codec.frame_rate, guesser.ranks, marks=marks * (name != "codes"), id=None
        )
        | {"weight": 0.5},
    }
    told = {"token": analysis.token, "name": name, "hidden": data["hidden"], "same": same, "lanes": pictures}
    told["steps"] = lanes.packed(step_of.numpy())
    return {**told, "wav": wav_base64(sound, guesser.codec.sample_rate)}


def hear(analysis: Analysis, data: dict, models: Models) -> dict:
    """One code held, the true one or a guess in its place.

    `row` from 1, `frame` from 0, `code` or None for the true one.
    """
    guesser, codes = _codes(analysis, models)
    row = whole_number(data.get("row"), 1, codes.shape[0], "row")
    frame = whole_number(data.get("frame"), 0, codes.shape[1] - 1, "frame")
    column = codes[:row, frame].clone()
    if data.get("code") is not None:
        column[-1] = whole_number(data["code"], 0, guesser.codec.codebook_size - 1, "code")
    sound = held_code(column, guesser.codec)
    told = {"token": analysis.token, "row": row, "frame": frame, "code": int(column[-1])}
    return {**told, "wav": wav_base64(sound, guesser.codec.sample_rate)}


ANSWERS = {"look": look, "listen": listen, "hear": hear}


def _codes(analysis: Analysis, models: Models) -> tuple[Guesser, Tensor]:
    guesser = models.guesser()
    return guesser, codes_for(analysis, guesser.codec, models)[: guesser.model.config.n_codebooks]


def _gap(data: dict, codes: Tensor, guesser: Guesser) -> Tensor:
    """(K, T) bool."""
    if "hidden" in data:
        return grid_bits(data["hidden"], tuple(codes.shape))
    wanted = data.get("random") if isinstance(data.get("random"), dict) else {}
    ratio = number(wanted.get("ratio", guesser.mask["mask_ratio"]), 0.01, 0.95, "ratio")
    span = whole_number(wanted.get("span", guesser.mask["span"]), 1, 300, "span")
    seed = whole_number(wanted.get("seed", 0), 0, 2**31 - 1, "seed")
    return random_gap(codes, ratio, span, seed, guesser.same_frames, guesser.codec.codebook_size)


def peaks(analysis: Analysis, n_frames: int, frame_rate: float) -> Tensor:
    """(T,) the largest amplitude in each frame."""
    starts = (np.arange(n_frames) / frame_rate * analysis.sample_rate).astype(int).clip(max=len(analysis.samples) - 1)
    return torch.from_numpy(np.maximum.reduceat(np.abs(analysis.samples), starts))


def _first_look(found: Guesses | None, peak: Tensor) -> list[int] | None:
    """[row (from 1), frame] of the hidden place to show first, the loudest of the first row; None: none is hidden."""
    if found is None:
        return None
    row = int(found.places[:, 0].min())
    frames = found.places[found.places[:, 0] == row, 1]
    return [row + 1, int(frames[peak[frames].argmax()])]


def _surprise(found: Guesses | None, n_frames: int, row: int, guesser: Guesser) -> dict:
    """Surprise of the hidden code of each frame in a row, or the mean over all rows (0).

    A lane, empty if nothing is hidden.
    """
    total, count, chance = torch.zeros(n_frames), torch.zeros(n_frames), float(np.log(guesser.codec.codebook_size))
    alt = "Nothing is hidden, so there is no surprise."
    if found is not None:
        row = row if (found.places[:, 0] == row - 1).any() else 0  # nothing of that row is hidden: all rows
        asked = (found.places[:, 0] == row - 1) | (row == 0)
        frames = found.places[asked, 1]
        total.index_add_(0, frames, -found.log_p[asked])
        count.index_add_(0, frames, torch.ones(len(frames)))
        alt = f"Surprise at the hidden codes, {found.surprise:.2f} nats on average; chance is {chance:.2f}."
    mean = torch.where(count > 0, total / count.clamp_min(1), torch.nan).numpy()
    top = float(np.ceil(max([chance * 1.25, *mean[~np.isnan(mean)]])))
    rows = f"in row {row}" if row else "over all rows"
    return lanes.lines(
        [("surprise", mean)],
        1 / guesser.codec.frame_rate,
        name="Surprise",
        unit="nats",
        alt=alt,
        high=top,
        chance=chance,
        points=True,
        digits=2,
        weight=0.5,
        legend=f"at the true code {rows}; dashed: chance",
    )


def _places(found: Guesses | None) -> list:
    """[row (from 1), frame, surprise, rank, codes, probabilities] of every hidden place."""
    if found is None:
        return []
    columns = (found.places, found.log_p, found.rank, found.top_codes, found.top_p)
    parts = zip(*(column.tolist() for column in columns), strict=True)
    return [
        [row + 1, frame, round(-log_p, 3), rank, codes, [round(p, 4) for p in ps]]
        for (row, frame), log_p, rank, codes, ps in parts
    ]


def _summary(found: Guesses | None, hidden: Tensor, sounds: Tensor, guesser: Guesser) -> dict:
    """Numbers of the gap where there is sound (silence is guessed easily and says nothing), and what chance gives."""
    size = guesser.codec.codebook_size
    share = float(hidden.float().mean())
    if found is None:
        return {"share": share, "places": 0, "chance": float(np.log(size)), "size": size}
    counted = sounds[found.places[:, 1]]
    silent = int((~counted).sum())
    counted = counted if counted.any() else torch.ones_like(counted)  # nothing but silence is hidden
    log_p, rows = found.log_p[counted], found.places[counted, 0]
    per_row = [
        round(-float(log_p[rows == row].mean()), 2) if (rows == row).any() else None for row in range(len(hidden))
    ]
    return {
        "share": share,
        "places": len(found.places),
        "silent": silent if silent < len(found.places) else 0,
        "surprise": -float(log_p.mean()),
        "chance": found.chance,
        "accuracy": float((found.rank[counted] == 1).float().mean()),
        "size": size,
        "per_row": per_row,
    }


def _classes(analysis: Analysis, codes: Tensor, hidden: Tensor, guesser: Guesser, models: Models) -> dict | None:
    """Probabilities of the leading labels before and with the gap.

    None where checkpoint and gap speak of different codes.
    """
    if analysis.verdict is None:
        return None
    clf = models.classifier(analysis.verdict.checkpoint)
    if clf.codec.fingerprint != guesser.codec.fingerprint or clf.classifier.config.n_codebooks > len(codes):
        return None
    nothing = torch.zeros_like(hidden)
    found = predict_codes(clf.classifier, [codes, codes], clf.window, clf.multi_label, target_masks=[nothing, hidden])
    before, now = (one.probabilities for one in found)
    leading = torch.maximum(before, now).argsort(descending=True)[:SHOWN_CLASSES].tolist()
    if not leading:
        raise AudioformerError("the checkpoint has no labels")
    rows = [
        {"label": clf.label_names[i].replace("_", " "), "before": float(before[i]), "now": float(now[i])}
        for i in leading
    ]
    return {
        "checkpoint": analysis.verdict.checkpoint,
        "chance": None if clf.multi_label else 1 / len(clf.label_names),
        "rows": rows,
    }
