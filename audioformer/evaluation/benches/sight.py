"""Sound and sight: what of the paper's claims holds in small, and whether the map sits on what is heard.

    audioformer bench sight --digits runs/fsdd-codes -o runs/sight --steps 100
    audioformer bench sight --scenes runs/heard-codes --checkpoint sight-scenes -o runs/sight
    audioformer bench sight --scenes runs/heard-test-codes --learn-from runs/heard-codes -o runs/sight --steps 150

Digits: small towers are trained anew for cells of resolution x batch x mixing, and for the controls; a seed holds
out two of the six speakers, so that three seeds hold out all. Writers 12 to 14 are never trained on. All cells take the
same number of steps: a larger batch sees more. Scenes: a finished checkpoint is measured on other sounds, in colours
that training never shows; or small models are trained for each resolution of the pictures. Finished cells stay: the
same command continues.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from audioformer.audiovisual.config import FRAME_RATE, AudioVisualConfig
from audioformer.audiovisual.digits import digit_pictures
from audioformer.audiovisual.measure import clip_vectors, digit_vectors, judge_map, one_shot, retrieval, shift_auc
from audioformer.audiovisual.model import AudioVisual
from audioformer.audiovisual.pretrain import RECIPES, AudioVisualRecipe, Clips, PairContrast, padded_sounds
from audioformer.audiovisual.scenes import N_BAND_FRAMES
from audioformer.audiovisual.where import where_from
from audioformer.config import require
from audioformer.data.corpus import Corpus
from audioformer.errors import AudioformerError
from audioformer.evaluation.benches import machine, markdown_table, number, row
from audioformer.evaluation.benches.cells import deviation, remembered
from audioformer.recipes import TrainConfig
from audioformer.start import load_pretrained
from audioformer.train import train

RESOLUTIONS, BATCHES, SPEAKERS_OUT = (8, 4, 2), (32, 128, 512), 2
SCENE_RESOLUTIONS, SCENE_BATCH = (50, 32, 16, 8), 16  # of pictures of scenes: pixels a side
GRID = [(resolution, batch, mix) for resolution in RESOLUTIONS for batch in BATCHES for mix in (False, True)]
CROSS = [cell for cell in GRID if cell[0] == 8 or cell[1] == 128]  # every batch at 8 pixels, every resolution at 128
CONTROLS = {  # beside the cell of 8 pixels, 128 clips, no mixing
    "fixed": {"pairing": "fixed"},
    "shuffled": {"pairing": "shuffled"},
    "no false negatives": {"spare_same": True},
}
MODEL = AudioVisualConfig(channels=4, d_model=64, shared_width=64)  # a quarter of the bundled one's work
CROP_S, SCENES_MEASURED = 0.64, 400
Say = Callable[[str], None]


def cells(only: Sequence[str] | None = None) -> dict[str, AudioVisualRecipe]:
    """Name to recipe: CROSS and the controls; `only` names "cross", "grid" (all of it) or "controls"."""
    found, only = {}, only or ("cross", "controls")
    if "grid" in only or "cross" in only:
        for resolution, batch, mix in GRID if "grid" in only else CROSS:
            name = f"{resolution} pixels, batch {batch}{', mixed' if mix else ''}"
            found[name] = AudioVisualRecipe(
                MODEL, TrainConfig(batch_size=batch), mix=mix, resolution=resolution, sound_s=CROP_S
            )
    if "controls" in only:
        plain = AudioVisualRecipe(MODEL, TrainConfig(batch_size=128), resolution=8, sound_s=CROP_S)
        found |= {name: replace(plain, **changes) for name, changes in CONTROLS.items()}
    return found


def scene_cells() -> dict[str, AudioVisualRecipe]:
    """Name to recipe: small models of scenes, one for each resolution."""
    model = replace(MODEL, picture="scenes")
    settings = TrainConfig(batch_size=SCENE_BATCH)
    return {
        f"scenes of {size} pixels": AudioVisualRecipe(model, settings, temperature=0.03, resolution=size)
        for size in SCENE_RESOLUTIONS
    }


def trained(recipe: AudioVisualRecipe, clips: Corpus, steps: int, seed: int, items: dict) -> tuple[PairContrast, dict]:
    """A task after so many steps, ready to be measured, and the last step's losses.

    Raises:
        AudioformerError: the corpus holds no mel frames, or no digits.
    """
    settings = replace(recipe.train, n_steps=steps, learning_rate=3e-3, average=0.9, seed=seed)
    task = PairContrast(replace(recipe, train=settings), clips, clips.codec, items=items)
    *_, last = train(task, settings)
    return task.eval(), last.losses


def digits_scores(model: AudioVisual, recipe: AudioVisualRecipe, held_out: Corpus, seed: int) -> dict[str, float]:
    """Retrieval both ways and one-shot matching on speakers and writers that training never saw."""
    sounds, longest = Clips(model, held_out, recipe, "test"), round(recipe.sound_s * FRAME_RATE)
    bands = [sounds.item(i)[0][:, :longest] for i in range(len(held_out))]
    spoken = np.array([int(held_out.label_names[label]) for label in sounds.labels])
    vectors = clip_vectors(model, bands).numpy()
    pictures, written = digit_pictures("test")
    seen = digit_vectors(model, pictures, recipe.resolution or 8).numpy()
    scores = retrieval(vectors, spoken, seen, written, seed=seed)
    shots = one_shot([one.numpy() for one in bands], spoken, vectors, seen, seed=seed)
    return scores | {f"one_shot_{name}": value for name, value in shots.items()}


def measure_digits(recipe: AudioVisualRecipe, corpus: Corpus, steps: int, seed: int, items: dict) -> dict:
    """Train one cell and measure it; items as `PairContrast`'s."""
    speakers = sorted(set(corpus.column("group").tolist()))
    out = [speakers[(SPEAKERS_OUT * seed + i) % len(speakers)] for i in range(SPEAKERS_OUT)]
    learnt = corpus.select(not_groups=out, variants=[0], not_split="test")
    task, losses = trained(recipe, learnt, steps, seed, items)
    held_out = corpus.select(groups=out, variants=[0], not_split="test")
    about = {"speakers": out, "steps": steps, "seed": seed, "batch": recipe.train.batch_size, "mix": recipe.mix}
    about |= {"resolution": recipe.resolution, "pairing": recipe.pairing, "spare_same": recipe.spare_same}
    about |= {"contrast": losses["contrast"], "accuracy": losses["accuracy"]}
    return about | digits_scores(task.model, task.config, held_out, seed)


def measure_digits_of(checkpoint: str, corpus: Corpus) -> dict:
    """A finished model of digits on speakers that it has not heard, as a record of one cell.

    Raises:
        AudioformerError: it is no model of digits.
    """
    model, about = load_pretrained(checkpoint)
    if getattr(model.config, "picture", None) != "digits":
        raise AudioformerError(f"{checkpoint}: is no model of digits; for one of scenes give --scenes CORPUS")
    recipe = replace(RECIPES["digits"], model=model.config)
    trained_with = about["recipe"]
    known = {name: trained_with[name] for name in ("mix", "resolution", "pairing", "spare_same")}
    known |= {"batch": trained_with["train"]["batch_size"], "cell": Path(checkpoint).name}
    losses = {name: about["losses"][name] for name in ("contrast", "accuracy")}
    return known | losses | digits_scores(model, recipe, corpus, 0)


def measure_scenes_of(checkpoint: str, corpus: Corpus) -> dict:
    """A finished model of scenes, as `measure_scenes`.

    Raises:
        AudioformerError: it is no model of scenes.
    """
    model, about = load_pretrained(checkpoint)
    if getattr(model.config, "picture", None) != "scenes":
        raise AudioformerError(
            f"{checkpoint}: is no model of scenes; train one with --method audiovisual --preset scenes"
        )
    recipe = replace(RECIPES["scenes"], model=model.config, resolution=about["recipe"]["resolution"])
    measured = measure_scenes(model, recipe, corpus)
    return {"checkpoint": Path(checkpoint).name, "steps": about.get("steps"), **measured}


def measure_scene_cell(recipe: AudioVisualRecipe, clips: Corpus, corpus: Corpus, steps: int, seed: int) -> dict:
    """Train one model of scenes on `clips` and measure it on `corpus`."""
    task, losses = trained(recipe, clips, steps, seed, {})
    about = {"steps": steps, "seed": seed, "resolution": recipe.resolution, "contrast": losses["contrast"]}
    return about | measure_scenes(task.model, recipe, corpus)


def measure_scenes(model: AudioVisual, recipe: AudioVisualRecipe, corpus: Corpus, n: int = SCENES_MEASURED) -> dict:
    """The map of a model on scenes in colours that training never shows, sounds as the corpus has them."""
    clips, judged, bands, shown = Clips(model, corpus, recipe, "test"), [], [], []
    for i in range(min(n, len(corpus))):
        scene, _ = clips.pairs.scene(i, np.random.default_rng([77, i]))
        heard = padded_sounds([clips.item(i)[0][:, :N_BAND_FRAMES]], N_BAND_FRAMES, True).tokens
        frames = recipe.look(scene.frames(clips.pairs.size))
        picture = torch.from_numpy(frames)[None]
        with torch.no_grad():
            places = model.sound_map(heard, picture)[0].numpy()
        if scene.things[0].motion.audible.any():
            judged.append(judge_map(where_from(model, heard, picture)[0].numpy(), scene, frames, places))
            bands.append(heard[0])
            shown.append(frames)
    hard = [one for one in judged if one["same_kind"]]
    means = {name: float(np.mean([one[name] for one in judged])) for name in judged[0]}
    means |= {f"hard_{name}": float(np.mean([one[name] for one in hard])) for name in judged[0]} if hard else {}
    error = float(np.std([one["pointing"] for one in judged]) / max(1, len(judged)) ** 0.5)
    auc = shift_auc(model, torch.stack(bands), torch.from_numpy(np.stack(shown)))
    return {"shift_auc": auc, **means, "n": len(judged), "n_hard": len(hard), "pointing_error": error}


def run(arguments: argparse.Namespace, show: Say) -> dict:
    """Train and measure what is missing; the table of everything."""
    folder = Path(arguments.output)
    require(
        arguments.digits or (arguments.scenes and (arguments.checkpoint or arguments.learn_from)),
        "nothing to measure; give --digits CORPUS, or --scenes CORPUS with --checkpoint NAME or --learn-from CORPUS",
    )
    rows, corpus = [], Corpus.open(arguments.digits) if arguments.digits else None
    if corpus is not None and not arguments.checkpoint:
        chosen = cells(arguments.only)
        for seed in range(arguments.seeds):
            items: dict = {}
            for name, recipe in chosen.items():
                show(f"seed {seed}: {name}")
                path = _cell(folder, recipe.to_dict(), corpus.info.clips_hash, arguments.steps, seed)
                record = remembered(path, partial(measure_digits, recipe, corpus, arguments.steps, seed, items))
                rows.append({"cell": name} | record)
    elif corpus is not None:
        unknown = corpus.select(groups=arguments.speakers, variants=[0], not_split="test")
        rows = [measure_digits_of(checkpoint, unknown) for checkpoint in arguments.checkpoint]
    lines = digits_rows(rows)
    for checkpoint in arguments.checkpoint if arguments.scenes else ():
        show(f"{checkpoint}: scenes")
        lines += scenes_rows(measure_scenes_of(checkpoint, Corpus.open(arguments.scenes)))
    if arguments.scenes and arguments.learn_from:
        lines += resolution_rows(scene_records(arguments, folder, show))
    return {"name": "sight", "machine": machine(), "steps": arguments.steps, "rows": lines}


def _cell(folder: Path, *decides) -> Path:
    """Where the record of a cell lies, named after what decides it."""
    digest = hashlib.sha256(json.dumps(decides).encode()).hexdigest()
    return folder / "cells" / f"{digest[:24]}.json"


def scene_records(arguments: argparse.Namespace, folder: Path, show: Say) -> list[dict]:
    """A record of each resolution of scenes and each seed: trained on one corpus, measured on the other."""
    learnt, heard = Corpus.open(arguments.learn_from), Corpus.open(arguments.scenes)
    records = []
    for seed in range(arguments.seeds):
        for name, recipe in scene_cells().items():
            show(f"seed {seed}: {name}")
            hashes = [corpus.info.clips_hash for corpus in (learnt, heard)]
            path = _cell(folder, recipe.to_dict(), hashes, arguments.steps, seed)
            measure = partial(measure_scene_cell, recipe, learnt, heard, arguments.steps, seed)
            records.append({"cell": name} | remembered(path, measure))
    return records


def _over_seeds(records: list[dict], measures: tuple[str, ...], about: tuple[str, ...]) -> Iterator[tuple[str, dict]]:
    """Each cell's name and what is told of it: number of seeds, what describes it, means and deviations."""
    for name in dict.fromkeys(record["cell"] for record in records):
        own = [record for record in records if record["cell"] == name]
        means = {key: float(np.mean([one[key] for one in own])) for key in measures}
        spreads = {f"{key}_std": deviation([one[key] for one in own]) for key in measures}
        yield name, {"n_seeds": len(own), **{key: own[0][key] for key in about}, **means, **spreads}


def resolution_rows(records: list[dict]) -> list[dict]:
    """A line for each resolution of scenes: means and deviations over seeds."""
    lines = []
    for name, cell in _over_seeds(records, SCENE_MEASURES, ("resolution", "steps", "n")):
        rival = max(cell["motion"], cell["motion_with_sound"])
        more = {"data": "resolutions", "chance": cell["area"], **cell}
        lines.append(row(name, cell["pointing"], "share", rival, **more))
    return lines


def digits_rows(records: list[dict]) -> list[dict]:
    """A line for each cell: means and deviations over seeds."""
    lines = []
    for name, cell in _over_seeds(records, MEASURES, ("batch", "mix", "resolution", "pairing", "spare_same")):
        score, rival = cell["sound_to_picture_r1"], cell["one_shot_classic"]
        more = {"data": "digits", "chance": 0.1, **cell}
        lines.append(row(name, score, "R@1 of ten", rival, **more))
    return lines


def scenes_rows(record: dict) -> list[dict]:
    """Pointing, the same where a silent thing is of the heard kind, overlap, and shifts."""
    about = {"data": "scenes", "n_seeds": 1, "checkpoint": record["checkpoint"]}
    lines = []
    for part, n, title in (("", "n", "all scenes"), ("hard_", "n_hard", "a silent thing of the same kind")):
        if record.get(n):
            best = max(record[f"{part}motion"], record[f"{part}motion_with_sound"])
            more = {
                key: record[f"{part}{key}"]
                for key in ("places", "motion", "motion_with_sound", "one_of", "pointing_frames")
            }
            more |= {"chance": record[f"{part}area"], "n": record[n], **about}
            lines.append(row(f"pointing: {title}", record[f"{part}pointing"], "share", best, **more))
    more = {"chance": record["area"], "n": record["n"], **about}
    lines.append(row("overlap (IoU)", record["iou"], "share", record["motion_iou"], **more))
    lines.append(row("a shift by 1 s noticed", record["shift_auc"], "AUC", None, **(more | {"chance": 0.5})))
    return lines


MEASURES = ("sound_to_picture_r1", "sound_to_picture_r5", "picture_to_sound_r1", "picture_to_sound_r5") + (
    "one_shot_direct",
    "one_shot_through_pairs",
    "one_shot_classic",
    "contrast",
    "accuracy",
)
SCENE_MEASURES = ("pointing", "hard_pointing", "iou", "shift_auc", "motion", "motion_with_sound", "one_of", "area")
COLUMNS = {
    "case": "case",
    "ours": "ours",
    "± seeds": "sound_to_picture_r1_std",
    "chance": "chance",
    "rival": "peer",
    "seeds": "n_seeds",
    "clips": "n",
}


def as_markdown(document: dict) -> str:
    """Grid, controls, scenes."""
    digits = [line for line in document["rows"] if line["data"] == "digits"]
    grid = {(one["resolution"], one["batch"], one["mix"]): one for one in digits if "pixels" in one["case"]}
    parts = ["# Sound and sight"]
    if grid:
        parts += ["## Resolution, batch, mixing", grid_table(grid)]
    if digits:
        head = ["pairs", "sound to picture R@1", "R@5", "picture to sound R@1", "R@5", "one-shot", "through pairs"]
        names = ["sound_to_picture_r1", "sound_to_picture_r5", "picture_to_sound_r1", "picture_to_sound_r5"]
        names += ["one_shot_direct", "one_shot_through_pairs", "one_shot_classic"]
        plain = [one for one in digits if "pixels" not in one["case"] or one is grid.get((8, 128, False))]
        lines = [[one["case"], *(_with_spread(one, name) for name in names)] for one in plain]
        chance = ["chance", "0.100", "0.500", "0.100", "0.500", "0.100", "0.100", "0.100"]
        parts += ["## Pairs", markdown_table([*head, "warping and pixels"], [*lines, chance])]
    scenes = [line for line in document["rows"] if line["data"] == "scenes"]
    if scenes:
        head = ["measure", "map", "similarity of places alone", "motion", "motion with loudness"]
        head += ["one of the things", "random pixel", "scenes"]
        lines = [
            [one["case"], number(one["ours"]), number(one.get("places")), number(one.get("motion", one["peer"]))]
            + [number(one.get(key)) for key in ("motion_with_sound", "one_of", "chance")]
            + [str(one["n"])]
            for one in scenes
        ]
        parts += ["## Scenes", markdown_table(head, lines)]
    if ladder := [line for line in document["rows"] if line["data"] == "resolutions"]:
        parts += ["## Scenes by resolution", resolution_table(ladder)]
    return "\n\n".join(parts) + "\n"


def resolution_table(ladder: list[dict]) -> str:
    """What small models of scenes find, by pixels a side."""
    head = ["pixels a side", "pointing", "a silent thing of the same kind", "IoU", "shift, AUC"]
    names = ("pointing", "hard_pointing", "iou", "shift_auc")
    lines = [
        [str(one["resolution"]), *(_with_spread(one, name) for name in names)]
        + [number(one[key]) for key in ("motion", "motion_with_sound", "one_of", "chance")]
        for one in ladder
    ]
    return markdown_table([*head, "motion", "motion with loudness", "one of the things", "random pixel"], lines)


def grid_table(grid: dict[tuple, dict]) -> str:
    """R@1 by resolution and batch, plain, mixed, and what mixing gains."""
    lines = []
    for resolution in RESOLUTIONS:
        for batch in BATCHES:
            plain, mixed = (grid.get((resolution, batch, mix)) for mix in (False, True))
            if plain and mixed:
                cells_ = [_with_spread(one, "sound_to_picture_r1") for one in (plain, mixed)]
                lines.append([str(resolution), str(batch), *cells_, f"{100 * (mixed['ours'] - plain['ours']):+.1f}"])
    return markdown_table(["pixels a side", "batch", "plain R@1", "mixed R@1", "gain, points"], lines)


def _with_spread(line: dict, name: str) -> str:
    spread = line.get(f"{name}_std")
    return number(line[name]) + ("" if spread is None else f" ± {number(spread)}")
