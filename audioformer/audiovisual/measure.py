"""What the towers have learned, in numbers, each beside chance and a classic rival.

Digits: retrieval both ways, and one-shot matching as Eloff, Engelbrecht and Kamper do it (2019, arXiv 1811.03875) with
ten words; their rival is dynamic time warping on cepstra for sounds and the distance of pixels for pictures. Scenes:
does the map's peak lie on the thing that is heard (pointing game, Zhang et al. 2016, arXiv 1608.00507)? Rivals: where
most moves, and where motion goes with loudness.

Shapes: n clips, B clips, F frames of the picture, S pixels a side, p places a side.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from audioformer.audiovisual.contrast import similarities
from audioformer.audiovisual.digits import digit_pictures, for_tower
from audioformer.audiovisual.model import AudioVisual
from audioformer.audiovisual.scenes import BANDS_PER_FRAME, FRAMES_PER_S, Scene

N_CEPSTRA, TOGETHER = 13, 64
PLACE = 4  # pixels from a place to the next


@torch.no_grad()
def clip_vectors(model: AudioVisual, clips: Sequence[Tensor]) -> Tensor:
    """(n, E) unit vectors of sounds (M, T_i), for a model of digits."""
    found = []
    for first in range(0, len(clips), TOGETHER):
        batch = model.collate(clips[first : first + TOGETHER])
        found.append(model.sound_vectors(batch.tokens, batch.padding)[:, 0, 0])
    return torch.cat(found)


@torch.no_grad()
def digit_vectors(model: AudioVisual, pictures: np.ndarray, resolution: int = 8) -> Tensor:
    """(n, E) unit vectors of pictures (n, 8, 8)."""
    return model.picture_vectors(torch.from_numpy(for_tower(pictures, resolution)))[:, 0, 0]


def recalls(scores: np.ndarray, k: int) -> np.ndarray:
    """(n,) bool: the own partner (row i, column i of (n, n) scores) is among the k best of its row.

    Example:
        >>> recalls(np.eye(3), 1).tolist()
        [True, True, True]
    """
    own = np.diag(scores)[:, None]
    return (scores > own).sum(1) + ((scores == own).sum(1) - 1) / 2 < k


def retrieval(
    sounds: np.ndarray, spoken: np.ndarray, pictures: np.ndarray, written: np.ndarray, rounds: int = 100, seed: int = 0
) -> dict[str, float]:
    """Ten sounds, one of each digit, find their ten pictures, and the other way round.

    Args:
        sounds: (n, E) unit vectors.
        spoken: (n,) digits.
        pictures: (m, E) unit vectors.
        written: (m,) digits.
        rounds: how often ten of each are drawn.
        seed: of the draws.

    Returns:
        R@1 and R@5 of "sound_to_picture" and "picture_to_sound"; chance is 0.1 and 0.5.
    """
    rng, hits = np.random.default_rng(seed), {}
    for _ in range(rounds):
        ours, theirs = ([int(rng.choice(np.flatnonzero(of == d))) for d in range(10)] for of in (spoken, written))
        scores = sounds[ours] @ pictures[theirs].T
        for name, matrix in (("sound_to_picture", scores), ("picture_to_sound", scores.T)):
            for k in (1, 5):
                hits.setdefault(f"{name}_r{k}", []).append(recalls(matrix, k).mean())
    return {name: float(np.mean(values)) for name, values in hits.items()}


def one_shot(
    bands: Sequence[np.ndarray],
    spoken: np.ndarray,
    vectors: np.ndarray,
    picture_vectors: np.ndarray,
    rounds: int = 30,
    seed: int = 0,
) -> dict[str, float]:
    """A sound's picture among ten, of which no example was given but one pair of each digit: chance 0.1.

    The sound is matched with the nearest of ten sounds; the picture shown beside that one is matched with the nearest
    of ten other pictures. "direct" needs no pair: the sound is compared with the pictures at once, in the shared
    space.

    Args:
        bands: n of (M, T_i) log-mel bands of held-out speakers.
        spoken: (n,) digits.
        vectors: (n, E) of these sounds.
        picture_vectors: (m, E) of the pictures of held-out writers.
        rounds: sets of ten pairs.
        seed: of the draws.

    Returns:
        Accuracy of "direct", "through_pairs" and "classic" (warping and pixels).
    """
    rng, hits = np.random.default_rng(seed), {"direct": [], "through_pairs": [], "classic": []}
    pictures, written = digit_pictures("test")
    pixels = pictures.reshape(len(pictures), -1)
    for _ in range(rounds):
        drawn = [rng.permutation(np.flatnonzero(spoken == d))[:2] for d in range(10)]
        shown = [rng.permutation(np.flatnonzero(written == d))[:2] for d in range(10)]
        (support, query), (beside, choice) = np.array(drawn).T, np.array(shown).T
        truth = np.arange(10)
        heard = (vectors[query] @ vectors[support].T).argmax(1)
        matched = (picture_vectors[beside[heard]] @ picture_vectors[choice].T).argmax(1)
        hits["through_pairs"].append((matched == truth).mean())
        hits["direct"].append(((vectors[query] @ picture_vectors[choice].T).argmax(1) == truth).mean())
        near = warped_distances([cepstra(bands[i]) for i in query], [cepstra(bands[i]) for i in support]).argmin(1)
        distances = np.square(pixels[beside[near]][:, None] - pixels[choice][None]).sum(-1)
        hits["classic"].append((distances.argmin(1) == truth).mean())
    return {name: float(np.mean(values)) for name, values in hits.items()}


def cepstra(bands: np.ndarray) -> np.ndarray:
    """(M, T) log-mel bands to (T, 13) cepstra without the level, each with its mean over the clip taken out."""
    from scipy.fft import dct

    found = dct(bands, axis=0, norm="ortho")[1 : N_CEPSTRA + 1].T
    return found - found.mean(0)


def warped_distances(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> np.ndarray:
    """(n, m) distances by dynamic time warping (Sakoe and Chiba 1978), by the length of both.

    Args:
        first: n sequences (T_i, C).
        second: m of them.

    Example:
        >>> warped_distances([np.array([[0.0], [1.0]])], [np.array([[0.0], [0.0], [1.0]])]).tolist()
        [[0.0]]
    """
    lengths = np.array([len(one) for one in first]), np.array([len(one) for one in second])
    a, b = (np.zeros((len(group), max(map(len, group)), group[0].shape[1])) for group in (first, second))
    for padded, group in ((a, first), (b, second)):
        for row, one in zip(padded, group, strict=True):
            row[: len(one)] = one
    cost = np.sqrt(np.square(a[:, None, :, None] - b[None, :, None, :]).sum(-1))  # (n, m, T, T')
    total = np.full((len(a), len(b), a.shape[1] + 1, b.shape[1] + 1), np.inf)
    total[:, :, 0, 0] = 0
    for i in range(a.shape[1]):
        for j in range(b.shape[1]):
            before = np.minimum(np.minimum(total[:, :, i, j], total[:, :, i, j + 1]), total[:, :, i + 1, j])
            total[:, :, i + 1, j + 1] = cost[:, :, i, j] + before
    rows, columns = np.ogrid[: len(a), : len(b)]
    ends = total[rows, columns, lengths[0][:, None], lengths[1][None]]
    return ends / (lengths[0][:, None] + lengths[1][None])


def enlarged(maps: np.ndarray, size: int) -> np.ndarray:
    """(F, p, p) to (F, S, S), linear between the pixels that places are about.

    Each of the tower's two strides of 2 begins at the first pixel: place i is about the pixels around 4 i.
    """
    from scipy.ndimage import map_coordinates

    where = np.arange(size) / PLACE
    rows, columns = np.meshgrid(where, where, indexing="ij")
    return np.stack([map_coordinates(one, (rows, columns), order=1, mode="nearest") for one in maps])


def motion_energy(frames: np.ndarray) -> np.ndarray:
    """(F, 3, S, S) to (F, S, S): how much each pixel changes from the frame before, smoothed over 5 x 5 pixels."""
    from scipy.ndimage import uniform_filter

    change = np.abs(np.diff(frames, axis=0, prepend=frames[:1])).sum(1)
    change[0] = change[1]
    return uniform_filter(change, (0, 5, 5))


def motion_with_sound(frames: np.ndarray, loudness: np.ndarray) -> np.ndarray:
    """(S, S): how well the motion of each pixel goes with the rise of loudness over time (covariance)."""
    rise = np.maximum(np.diff(loudness, prepend=0), 0)
    return (motion_energy(frames) * (rise - rise.mean())[:, None, None]).mean(0)


def points_inside(where: np.ndarray, place: np.ndarray) -> bool:
    """Whether the peak of (S, S) lies in (S, S) bool."""
    return bool(place.flat[int(where.argmax())])


def overlap(where: np.ndarray, place: np.ndarray) -> float:
    """Intersection over union of a place with what is above half of the map's range."""
    above = where >= (where.max() + where.min()) / 2
    return float((above & place).sum() / max(1, (above | place).sum()))


def judge_map(maps: np.ndarray, scene: Scene, frames: np.ndarray, places: np.ndarray | None = None) -> dict[str, float]:
    """How well a map finds the first thing of a scene, while it is heard.

    Args:
        maps: (F, S, S) of `where_from`.
        scene: with the truth.
        frames: (F, 3, S, S) as drawn.
        places: (F, p, p) similarities, judged beside; None: not.

    Returns:
        "pointing" (one peak a clip), "pointing_frames" (a peak in each audible frame), "iou"; "places", a peak
        of the similarities; of the rivals "motion"
        and "motion_with_sound", and "motion_iou"; "area", the chance of a random pixel; "one_of", that of a thing;
        "same_kind" 1 if a silent thing is of the same kind.
    """
    heard, size = scene.things[0], frames.shape[-1]
    place, audible = scene.places(size)[0], heard.motion.audible
    over_clip, moving = maps[audible].mean(0), motion_energy(frames)[audible].mean(0)
    alone = {} if places is None else {"places": float(points_inside(enlarged(places, size)[audible].mean(0), place))}
    together = motion_with_sound(frames, heard.motion.loudness)
    return alone | {
        "pointing": float(points_inside(over_clip, place)),
        "pointing_frames": float(np.mean([points_inside(one, place) for one in maps[audible]])),
        "iou": overlap(over_clip, place),
        "motion": float(points_inside(moving, place)),
        "motion_with_sound": float(points_inside(together, place)),
        "motion_iou": overlap(moving, place),
        "area": float(place.mean()),
        "one_of": 1 / len(scene.things),
        "same_kind": float(any(thing.kind == heard.kind for thing in scene.things[1:])),
    }


@torch.no_grad()
def shift_auc(model: AudioVisual, bands: Tensor, pictures: Tensor) -> float:
    """Area under the curve of telling a sound in time from the same sound a second early or late; chance 0.5.

    Args:
        model: of scenes.
        bands: (B, M, T).
        pictures: (B, F, 3, S, S).
    """
    places, step, found = model.picture_vectors(pictures), FRAMES_PER_S * BANDS_PER_FRAME, []
    for shift in (0, step, -step):
        moved = bands.roll(shift, -1)
        parts = zip(model.sound_vectors(moved).split(1), places.split(1), model.moments(moved).split(1), strict=True)
        found.append(np.array([float(similarities(*part)) for part in parts]))
    own, *others = found
    ahead = [(own[:, None] > other).mean() + (own[:, None] == other).mean() / 2 for other in others]
    return float(np.mean(ahead))
