"""Label tracks: which label from when to when, as files that Audacity and Raven open beside the sound.

    rows = label_track(audioformer.load("esc10"), "morning.wav", threshold=0.6)
    Path("morning.txt").write_text(audacity(rows))

The moments are those of `moments.moment_scores`: what the classifier says of each half second by itself. A label stands
where it is the most probable, or with several labels at once one of those, from the threshold on, and the sound is not
silent. Shapes: T frames, C classes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike

import numpy as np

from audioformer.audio import Waveform
from audioformer.classify import AudioClassifier, as_waveform
from audioformer.errors import AudioformerError
from audioformer.explain.moments import moment_scores, silent_frames
from audioformer.reading.sound import log_notes

THRESHOLD, SHORTEST_S = 0.5, 0.2
RAVEN_HEAD = (
    "Selection",
    "View",
    "Channel",
    "Begin Time (s)",
    "End Time (s)",
    "Low Freq (Hz)",
    "High Freq (Hz)",
    "Begin File",
    "File Offset (s)",
    "Label",
    "Score",
)


@dataclass(frozen=True)
class Moment:
    """One stretch of one label.

    Attributes:
        start_s: its beginning, seconds.
        end_s: its end.
        label: name of the class.
        score: highest probability in it.
    """

    start_s: float
    end_s: float
    label: str
    score: float


def label_track(
    classifier: AudioClassifier, sound: str | PathLike | Waveform, threshold: float = THRESHOLD
) -> list[Moment]:
    """The moments of a sound file.

    Args:
        classifier: of `audioformer.load`.
        sound: a file, up to 2 hours; what is missing of it goes to the log "audioformer". Or an open one.
        threshold: probability from which a moment gets a label, above 0 and up to 1.

    Returns:
        Moments by their beginning; with several labels at once they may overlap.

    Raises:
        AudioformerError: a file that cannot be read, or a threshold out of range.
    """
    if not 0 < threshold <= 1:
        raise AudioformerError(f"threshold={threshold:g} must lie above 0 and up to 1; try {THRESHOLD}")
    waveform = log_notes(sound, as_waveform(sound, None, classifier.codec.sample_rate))
    scores = moment_scores(classifier, classifier.codes(waveform)).numpy()
    rate = classifier.codec.frame_rate
    silent = silent_frames(waveform.samples[0].numpy(), waveform.sample_rate, rate, len(scores))
    return stretches(scores, rate, classifier.label_names, threshold, silent, classifier.multi_label)


def stretches(
    scores: np.ndarray,
    frame_rate: float,
    label_names: list[str],
    threshold: float = THRESHOLD,
    silent: np.ndarray | None = None,
    multi_label: bool = False,
) -> list[Moment]:
    """Scores of frames as moments.

    Args:
        scores: (T, C), 0 to 1.
        frame_rate: Hz.
        label_names: C.
        threshold: from which a frame gets a label.
        silent: (T,) bool; no label there.
        multi_label: every class from the threshold on counts, not the most probable alone.

    Returns:
        Moments of at least 0.2 s, by their beginning.

    Example:
        >>> stretches(np.array([[0.9], [0.8], [0.1], [0.7]]), 2.0, ["dog"])
        [Moment(start_s=0.0, end_s=1.0, label='dog', score=0.9), Moment(start_s=1.5, end_s=2.0, label='dog', score=0.7)]
    """
    heard = scores >= threshold
    if not multi_label:
        heard &= np.arange(scores.shape[1]) == scores.argmax(1)[:, None]
    if silent is not None:
        heard &= ~silent[:, None]
    found = []
    for label, name in enumerate(label_names):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], heard[:, label].astype(np.int8), [0]))))
        for first, last in edges.reshape(-1, 2).tolist():
            if (last - first) / frame_rate >= SHORTEST_S:
                best = round(float(scores[first:last, label].max()), 4)
                found.append(Moment(first / frame_rate, last / frame_rate, name, best))
    return sorted(found, key=lambda moment: (moment.start_s, moment.label))


def audacity(moments: Iterable[Moment]) -> str:
    """A label track of Audacity (File > Import > Labels): start, end and label, separated by tabs."""
    return "".join(f"{m.start_s:.6f}\t{m.end_s:.6f}\t{_one_line(m.label)} {m.score:.2f}\n" for m in moments)


def raven(moments: Iterable[Moment], file: str, sample_rate: int) -> str:
    """A selection table of Raven, over all frequencies.

    Args:
        moments: of one file.
        file: its name.
        sample_rate: Hz, whose half is the highest frequency.
    """
    lines = ["\t".join(RAVEN_HEAD)]
    for number, m in enumerate(moments, 1):
        times = [f"{m.start_s:.6f}", f"{m.end_s:.6f}", "0.0", f"{sample_rate / 2:.1f}"]
        row = [
            str(number),
            "Spectrogram 1",
            "1",
            *times,
            _one_line(file),
            times[0],
            _one_line(m.label),
            f"{m.score:.4f}",
        ]
        lines.append("\t".join(row))
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    return " ".join(text.split())
