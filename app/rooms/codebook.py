"""The codebook view of Listen: entries used, where they lie, which this clip uses, which tell a class, how one sounds.

Counts are over the bundled clips, coded once for each codec when somebody opens the view, and the clip on the page.

Shapes: K codebooks (rows), V entries, T frames, C classes.
"""

from __future__ import annotations

import numpy as np

from audioformer.errors import AudioformerError
from audioformer.explain import codebook
from audioformer.metrics import perplexity
from audioformer.widgets.sounds import wav_base64
from audioformer_app.analysis import Analysis
from audioformer_app.models import Models
from audioformer_app.rooms.drawn import drawn
from audioformer_app.rooms.sent import one_of, whole_number
from audioformer_app.samples import Coded

VIEWS = ("map", "time", "use", "rows", "classes")
LOOKS = ("light", "dark")
ENTRY_S = 0.5  # how long an entry is held


def look(analysis: Analysis, data: dict, models: Models) -> dict:
    """One figure of the codebook.

    Args:
        analysis: the clip.
        data: `view` (one of VIEWS), `row` from 1, `entry` (marked; None: none), `look` ("light" or "dark").
        models: open models.

    Returns:
        dict with a plotly `figure`, the template `dark`, `config`, and in words what was counted (`counted`).

    Raises:
        AudioformerError: values out of range.
    """
    view, theme = one_of(data.get("view"), VIEWS, "view"), one_of(data.get("look"), LOOKS, "look")
    row, entry = _place(data, analysis, models)
    coded = models.coded_samples(analysis.codec)
    figure = _figure(view, row - 1, entry, theme, analysis, coded, models)
    counted = f"{len(coded.codes)} bundled clips and this one" if coded.codes else "this clip alone"
    return {"token": analysis.token, "view": view, "row": row, "entry": entry, "counted": counted, **drawn(figure)}


def hear(analysis: Analysis, data: dict, models: Models) -> dict:
    """The sound of an entry, held under the codes it most often stands under; `row` from 1, `entry` from 0.

    Returns:
        dict with `wav`, `column` (the codes held), `times` it occurs in this clip, and the `frame` of the first (None:
        nowhere).

    Raises:
        AudioformerError: no such entry, or one below row 1 that no clip uses.
    """
    row, entry = _place(data, analysis, models)
    codec, codes = models.codec(analysis.codec), analysis.codes
    if entry is None:
        raise AudioformerError(f"entry={data.get('entry')!r} must be a number; click one in the figure")
    column = codebook.entry_column(
        [codes, *models.coded_samples(analysis.codec).codes], row, entry, codec.codebook_size
    )
    frames = np.flatnonzero(codes[row - 1] == entry)
    told = {
        "row": row,
        "entry": entry,
        "column": column.tolist(),
        "times": len(frames),
        "frame": int(frames[0]) if len(frames) else None,
    }
    return {
        "token": analysis.token,
        **told,
        "wav": wav_base64(codebook.held_code(column, codec, ENTRY_S), codec.sample_rate),
    }


ANSWERS = {"codebook": look, "entry": hear}


def _place(data: dict, analysis: Analysis, models: Models) -> tuple[int, int | None]:
    """Row from 1, and entry or None, checked."""
    row, entry = whole_number(data.get("row"), 1, len(analysis.codes), "row"), data.get("entry")
    return row, None if entry is None else whole_number(
        entry, 0, models.codec(analysis.codec).codebook_size - 1, "entry"
    )


def _figure(view: str, k: int, entry: int | None, theme: str, analysis: Analysis, coded: Coded, models: Models):
    """Row k + 1, seen in one of VIEWS."""
    from audioformer.plots import codebook as figures

    codec = models.codec(analysis.codec)
    size, codes = codec.codebook_size, analysis.codes
    counts = codebook.count([codes, *coded.codes], size)
    if view == "use":
        return figures.usage(counts, theme=theme)
    if view == "rows":
        return figures.perplexities(perplexity(counts), (counts > 0).sum(1), size, theme=theme)
    if view == "classes":
        if len(set(coded.labels)) < 2:
            raise AudioformerError(
                "this installation came without samples, so there are no classes to compare; the other views work"
            )
        inside = codebook.class_counts(coded.codes, coded.labels, len(coded.label_names), size)[:, k]
        delta, z = codebook.log_odds(inside, inside.sum(0, keepdims=True) - inside)
        return figures.typical_entries(delta, z, coded.label_names, n_entries=5, theme=theme)
    plane = codebook.entry_map(codec.codebooks()[k])
    if view == "time":
        return figures.entries_over_time(codes[k], plane.points, analysis.frame_rate, marked=entry, theme=theme)
    return figures.entry_map(plane.points, plane.shares, counts[k], clip=codes[k], marked=entry, theme=theme)
