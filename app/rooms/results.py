"""Results: what the models were measured at, as it comes with the kit; nothing is computed here.

Shapes: none.
"""

from __future__ import annotations

import textwrap

from audioformer.evaluation.benches.ablation_table import reading
from audioformer.evaluation.benches.cells import shipped, shipped_names
from audioformer.evaluation.held_out import HeldOut, read_held_out
from audioformer_app.analysis import Analysis
from audioformer_app.models import Models
from audioformer_app.rooms.drawn import drawn
from audioformer_app.rooms.held_out import confusion, reliability

QUESTIONS = {
    "classifier": "How good is the classifier of this page?",
    "confusion": "What does it take for what?",
    "reliability": "Is it as right as it is sure?",
    "probe": "Which frozen features tell most?",
    "adapt": "How to adapt a model with few recordings?",
    "ablation": "Which part of the recipe helps?",
}
FEATURES = {  # beginnings of names of features, and what to call them
    "runs/pretrained-rows:rows=": "pre-trained, reading rows ",
    "codes:compact:rows=": "codes of compact alone, rows ",
    "codec:": "vectors of the codec ",
    "runs/": "",
}
DATA = {"esc10": "ESC-10, ten kinds of sound", "digits": "digits of unseen speakers", "scenes": "synthetic scenes"}


def look(analysis: Analysis, data: dict, models: Models) -> dict:
    """One benchmark's figure and what it says.

    Args:
        analysis: the clip on the page, whose classifier the first question is about.
        data: `result` (a key of QUESTIONS), `data` (a key of DATA); for anything else, the first there is.
        models: open models.

    Returns:
        dict with `questions` and `sets` to choose from (name, title), the chosen `result` and `data`, what `drawn`
        gives, sentences `told`, and the `command` that measured it.
    """
    from audioformer import plots

    own, held = _own_scores(analysis, models), _own_held_out(analysis, models)
    there = {*shipped_names(), *(["classifier"] if own else []), *(HELD_OUT if held else [])}
    names = [name for name in QUESTIONS if name in there]
    result = data.get("result") if data.get("result") in names else names[0]
    shown = {"token": analysis.token, "result": result, "questions": [[name, QUESTIONS[name]] for name in names]}
    if result == "classifier":
        return {**shown, "data": None, "sets": [], **_classifier(own)}
    if result in HELD_OUT:
        return {**shown, "data": None, "sets": [], **HELD_OUT[result](held, analysis.sure)}
    document = shipped(result)
    sets = list(dict.fromkeys(row["data"] for row in document["rows"] if "data" in row))
    chosen = data.get("data") if data.get("data") in sets else next(iter(sets), None)
    rows = [_named(row) for row in document["rows"] if row.get("data") == chosen]
    figure = {"probe": plots.probes.probes, "adapt": plots.probes.adaptations, "ablation": plots.ablation.ablation}[
        result
    ](rows)
    return {
        **shown,
        "data": chosen,
        "sets": [[name, DATA.get(name, name)] for name in sets],
        "told": TOLD[result](rows),
        "command": document["command"],
        **drawn(figure),
    }


ANSWERS = {"look": look}


HELD_OUT = {"confusion": confusion, "reliability": reliability}


def _own_held_out(analysis: Analysis, models: Models) -> HeldOut | None:
    """Sounds that the page's classifier has not learnt from, where they came with it."""
    checkpoint = models.checkpoints.get(analysis.verdict.checkpoint) if analysis.verdict else None
    return None if checkpoint is None else read_held_out(checkpoint)


def _named(row: dict) -> dict:
    """A row whose features have a name instead of a path."""
    features = row.get("features")
    if features is None:
        return row
    start = next((start for start in FEATURES if features.startswith(start)), "")
    return {**row, "features": FEATURES.get(start, "") + features.removeprefix(start)}


def _own_scores(analysis: Analysis, models: Models) -> dict | None:
    """config.json of the page's classifier, if it holds measured scores."""
    if analysis.verdict is None:
        return None
    about = models.classifier(analysis.verdict.checkpoint).about
    return about if about.get("scores") else None


def _classifier(about: dict) -> dict:
    """The scores that a checkpoint came with, each on sounds that it has not learnt from, as its card tells them."""
    from plotly import graph_objects as go

    from audioformer.plots.theme import finish

    scores = about["scores"]
    cases = [textwrap.fill(score["data"].split("(")[0].strip(), 46).replace("\n", "<br>") for score in scores]
    values = [score["value"] for score in scores]
    metric = {"accuracy": "share of sounds named rightly", "mAP": "mean average precision"}
    figure = go.Figure(
        go.Bar(x=values, y=cases, orientation="h", name="score", text=[f"{value:.2f}" for value in values])
    )
    chance = [score["chance"] for score in scores]
    figure.add_scatter(
        x=chance,
        y=cases,
        mode="markers",
        name="chance",
        marker={"symbol": "line-ns-open", "size": 22, "line": {"width": 3}},
    )
    figure.update_layout(bargap=0.5, xaxis_range=[0, 1], yaxis_autorange="reversed")
    alt = "; ".join(f"{score['data']}: {score['value']:.2f}" for score in scores)
    unit = metric.get(scores[0]["metric"], scores[0]["metric"])
    finish(figure, alt, x=unit, y="", height=110 + 60 * len(scores))
    figure.update_yaxes(automargin=True)
    first = scores[0]
    spread = f" Spread: {first['spread']}." if first["spread"] else ""
    told = [
        f"{about.get('title', 'This classifier')}: {_measured(first)} on sounds it has not learnt from, "
        f"chance {first['chance']:.0%}, "
        f"{first['n']:,} sounds ({first['data']}).{spread}",
        about.get("limits", ""),
        f"Learnt from: {about.get('data', 'unknown sounds')}",
    ]
    return {"told": [line for line in told if line], "command": first["command"], **drawn(figure)}


def _measured(score: dict) -> str:
    return f"{score['value']:.1%} right" if score["metric"] == "accuracy" else f"{score['metric']} {score['value']:.2f}"


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
    within = f"As good within its spread, and cheapest: {cheap['case']}, {_spread(cheap)}, with {cheap['trainable']:,}."
    return [
        f"Best here: {best['case']}, {_spread(best)} with {best['trainable']:,} learned numbers.",
        *([within] if cheap is not best else []),
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
