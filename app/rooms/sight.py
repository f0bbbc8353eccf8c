"""Sight: a drawn scene plays, and over it lies where its sound points; handwritten digits for a spoken one.

Not about the clip on the page, but that clip may be played to every scene, and asked for its digit.
Shapes: F frames, S pixels a side, p places a side, n things.
"""

from __future__ import annotations

import base64
from functools import lru_cache

import numpy as np
import torch

from audioformer.audiovisual.contrast import similarities
from audioformer.audiovisual.digits import digit_pictures, for_tower
from audioformer.audiovisual.measure import digit_vectors
from audioformer.audiovisual.scenes import KINDS, REACH, motion_of
from audioformer.audiovisual.show import RATE, bands_of, maps_of, open_scenes, pointed_at, show_scene
from audioformer.checkpoint import bundled_names
from audioformer.errors import AudioformerError
from audioformer.start import load_pretrained
from audioformer.widgets.sounds import wav_base64
from audioformer_app.analysis import Analysis
from audioformer_app.models import Models
from audioformer_app.rooms.sent import whole_number

SCENES, DIGITS = "sight-scenes", "sight-digits"  # the bundled models
N_MATCHED, MOST_SEED, N_NEAREST = 4, 999_999, 8
DRAWN = 8  # pixels a side of a digit that somebody draws


def is_here() -> bool:
    """Whether the bundled models are."""
    return {SCENES, DIGITS} <= set(bundled_names())


@lru_cache(maxsize=2)
def _model(name: str):
    return open_scenes(name) if name == SCENES else load_pretrained(name)[0]


def look(analysis: Analysis, data: dict, models: Models) -> dict:
    """A scene with the sounds of its things, and the clip of the page as one sound more.

    Args:
        analysis: the clip.
        data: `seed` of the scene, 0 to 999999.
        models: not needed.

    Returns:
        dict with `frames` (F x S x S x 3 bytes in base64), `maps` (sounds x F x S x S bytes), `wavs`, `things` (kind,
        what it does, colour, place), `pointed` (the thing that each sound points at, or None), and sizes.

    Raises:
        AudioformerError: a seed out of range.
    """
    del models
    model, shown = _model(SCENES), show_scene(_model(SCENES), whole_number(data.get("seed"), 0, MOST_SEED, "seed"))
    own = bands_of(analysis.samples, analysis.sample_rate)
    maps = np.concatenate([shown.maps, maps_of(model, [own], shown.frames)])
    pointed = [shown.pointed(number) for number in range(len(shown.sounds))]
    pointed.append(pointed_at(maps[-1], shown.scene, motion_of(own.numpy()).audible))
    clip = analysis.samples[: 3 * analysis.sample_rate]
    things = [
        {"kind": one.kind, "does": KINDS[one.kind], "colour": one.colour, "x": one.x, "y": one.y}
        for one in shown.scene.things
    ]
    return {
        "token": analysis.token,
        "seed": data["seed"],
        "frames": _bytes(shown.frames.transpose(0, 2, 3, 1)),
        "maps": _bytes(np.sqrt(maps / np.maximum(maps.max((1, 2, 3), keepdims=True), 1e-12))),
        "sizes": {"frames": maps.shape[1], "pixels": shown.frames.shape[-1], "places": maps.shape[-1]},
        "reach": REACH,
        "things": things,
        "pointed": pointed,
        "wavs": [*(wav_base64(sound, RATE) for sound in shown.sounds), wav_base64(clip, analysis.sample_rate)],
    }


def match(analysis: Analysis, data: dict, models: Models) -> dict:
    """Four sounds and four scenes: which belong together?

    Args:
        analysis: the clip, whose page it is.
        data: `seed`, 0 to 999999.
        models: not needed.

    Returns:
        dict with `frames` of each scene, `wavs`, `kinds`, `scores` (sounds x scenes), and how many of the sounds find
        their scene (`to_scene`) and the other way round (`to_sound`).
    """
    del models
    model, seed = _model(SCENES), whole_number(data.get("seed"), 0, MOST_SEED, "seed")
    shown = [show_scene(model, N_MATCHED * seed + i, 2) for i in range(N_MATCHED)]
    bands = torch.stack([bands_of(one.sounds[0]) for one in shown])
    with torch.no_grad():
        places = model.picture_vectors(torch.from_numpy(np.stack([one.frames for one in shown])))
        scores = similarities(model.sound_vectors(bands), places, model.moments(bands)).numpy()
    own = np.arange(N_MATCHED)
    return {
        "token": analysis.token,
        "seed": seed,
        "frames": [_bytes(one.frames.transpose(0, 2, 3, 1)) for one in shown],
        "sizes": {"frames": len(shown[0].frames), "pixels": shown[0].frames.shape[-1]},
        "wavs": [wav_base64(one.sounds[0], RATE) for one in shown],
        "kinds": [one.scene.things[0].kind for one in shown],
        "scores": scores.round(4).tolist(),
        "to_scene": int((scores.argmax(1) == own).sum()),
        "to_sound": int((scores.argmax(0) == own).sum()),
    }


def draw(analysis: Analysis, data: dict, models: Models) -> dict:
    """Which handwritten digits does the clip of the page bring to mind, and how near is a drawn one?

    Args:
        analysis: the clip; a spoken digit makes sense.
        data: `picture`, 64 numbers from 0 to 1, row by row, or None.
        models: not needed.

    Returns:
        dict with `nearest`, the pictures (64 numbers each) by writers that the model never saw, their `written` digits
        and cosines; `by_digit`, the mean cosine of each digit's pictures; and `drawn` {cosine, ahead_of (share of all
        pictures that are farther)} or None.

    Raises:
        AudioformerError: not 64 numbers from 0 to 1.
    """
    del models
    model, (pictures, written) = _model(DIGITS), digit_pictures("test")
    bands = bands_of(analysis.samples, analysis.sample_rate)
    spoken = bands[:, bands.logsumexp(0) > bands.logsumexp(0).max() - 40 / 4.343][None]  # pauses say nothing
    with torch.no_grad():
        sound = model.sound_vectors(spoken)[0, 0, 0]
        cosines = (digit_vectors(model, pictures) @ sound).numpy()
        drawn = None
        if data.get("picture") is not None:
            own = for_tower(_picture(data["picture"])[None])
            cosine = float(model.picture_vectors(torch.from_numpy(own))[0, 0, 0] @ sound)
            drawn = {"cosine": cosine, "ahead_of": float((cosines < cosine).mean())}
    nearest = np.argsort(-cosines)[:N_NEAREST]
    return {
        "token": analysis.token,
        "nearest": [
            {"digit": int(written[i]), "cosine": float(cosines[i]), "picture": pictures[i].ravel().round(3).tolist()}
            for i in nearest
        ],
        "by_digit": [float(cosines[written == digit].mean()) for digit in range(10)],
        "drawn": drawn,
    }


def _picture(sent) -> np.ndarray:
    """(8, 8) of what the browser sent."""
    fits = isinstance(sent, list) and len(sent) == DRAWN**2
    if not fits or any(isinstance(v, bool) or not isinstance(v, int | float) or not 0 <= v <= 1 for v in sent):
        raise AudioformerError(f"picture={str(sent)[:40]!r} must be {DRAWN**2} numbers from 0 to 1")
    return np.array(sent, np.float32).reshape(DRAWN, DRAWN)


def _bytes(values: np.ndarray) -> str:
    """Numbers from 0 to 1 as bytes in base64."""
    return base64.b64encode(np.round(255 * np.clip(values, 0, 1)).astype(np.uint8).tobytes()).decode()


ANSWERS = {"look": look, "match": match, "draw": draw}
