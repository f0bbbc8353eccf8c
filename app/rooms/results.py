"""Results: what the models were measured at, as it comes with the kit; nothing is computed here.

Shapes: none.
"""

from __future__ import annotations

from audioformer.evaluation.benches.ablation_table import reading
from audioformer.evaluation.benches.cells import shipped, shipped_names
from audioformer_app.analysis import Analysis
from audioformer_app.models import Models
from audioformer_app.rooms.drawn import drawn

QUESTIONS = {
    "probe": "Which frozen features tell most?",
    "adapt": "How to adapt a model with few recordings?",
    "ablation": "Which part of the recipe helps?",
}
DATA = {"esc10": "ESC-10, ten kinds of sound", "digits": "digits of unseen speakers", "scenes": "synthetic scenes"}


def look(analysis: Analysis, data: dict, models: Models) -> dict:  # noqa: ARG001 - every answer takes the same three
    """One benchmark's figure and what it says.

    Args:
        analysis: the clip on the page; no result depends on it.
        data: `result` (a key of QUESTIONS), `data` (a key of DATA); for anything else, the first there is.
        models: not needed.

    Returns:
        dict with `questions` and `sets` to choose from (name, title), the chosen `result` and `data`, what `drawn` gives, sentences
        `told`, and the `command` that measured it.
    """
    from audioformer import plots

    names = [name for name in QUESTIONS if name in shipped_names()]
    result = data.get("result") if data.get("result") in names else names[0]
    document = shipped(result)
    sets = list(dict.fromkeys(row["data"] for row in document["rows"] if "data" in row))
    chosen = data.get("data") if data.get("data") in sets else next(iter(sets), None)
    rows = [row for row in document["rows"] if row.get("data") == chosen]
    figure = {"probe": plots.probes.probes, "adapt": plots.probes.adaptations, "ablation": plots.ablation.ablation}[
        result
    ](rows)
    return {
        "token": analysis.token,
        "result": result,
        "data": chosen,
        "questions": [[name, QUESTIONS[name]] for name in names],
        "sets": [[name, DATA.get(name, name)] for name in sets],
        "told": TOLD[result](rows),
        "command": document["command"],
        **drawn(figure),
    }


ANSWERS = {"look": look}


def _spread(row: dict) -> str:
    """A score with how far it spreads over the held-out folds."""
    return f"{row['ours']:.2f}" + (f" ± {row['fold_std']:.2f}" if row["fold_std"] is not None else "")


def _probe(rows: list[dict]) -> list[str]:
    """The best features, and the best that a transformer of this kit gives."""
    best = max(rows, key=lambda row: row["ours"])
    learned = [row for row in rows if row["n_parameters"] and not row["features"].startswith(("codec:", "codes:"))]
    ours = max(learned, key=lambda row: row["ours"])
    return [
        f"Best here: {best['features']}, read by {best['probe']}: {_spread(best)} (± over what is held out).",
        f"Best of the pre-trained transformers: {ours['features']}, read by {ours['probe']}: {_spread(ours)}.",
        f"Every model is frozen; the same small learners read its vectors. {_held_out(best)}",
    ]


def _adapt(rows: list[dict]) -> list[str]:
    """Range of the scores, and the cheapest way among those that the spread cannot tell from the best."""
    best = max(rows, key=lambda row: row["ours"])
    level = [row for row in rows if row["ours"] >= best["ours"] - (best["fold_std"] or 0)]
    cheap = min(level, key=lambda row: row["trainable"])
    return [
        f"Best here: {best['case']}, {_spread(best)} with {best['trainable']:,} learned numbers.",
        f"Within that spread lies {cheap['case']}, {_spread(cheap)}, with {cheap['trainable']:,}.",
        _held_out(best),
    ]


def _ablation(rows: list[dict]) -> list[str]:
    """Best row, the baseline, and what each change did."""
    best = max((row for row in rows if row["row"] != "svm"), key=lambda row: row["ours"])
    baseline = (
        "" if best["peer"] is None else f"; hand-made statistics with a support vector machine {best['peer']:.2f}"
    )
    first = f"Best transformer here: {best['title']}, {_spread(best)}{baseline}."
    return [first, *(reading(row) for row in rows if row["gain"] is not None)]


def _held_out(row: dict) -> str:
    seeds = f", {row['n_seeds']} seeds" if row["n_seeds"] > 1 else ", one seed"
    return f"{row['n_folds']} parts held out in turn{seeds}; chance {row['chance']:.2f}."


TOLD = {"probe": _probe, "adapt": _adapt, "ablation": _ablation}
