"""One sound through the kit: read, coded, classified. Pure functions and what they return; no Gradio.

Shapes: N samples, K codebooks, T frames, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import torch
from torch import Tensor

from audioformer.audio import Waveform, load_audio, rate_notes, resample
from audioformer.explain.moments import moment_scores
from audioformer.reading.sound import length_s
from audioformer_app.answers import SURE, Answer, answer
from audioformer_app.models import Models
from audioformer_app.settings import SHOWN_S

TOP_K = 5


@dataclass(frozen=True)
class Clip:
    """One sound as it came.

    Attributes:
        name: what to call it on the page (not yet escaped).
        samples: (N,) float32, channels averaged.
        sample_rate: Hz.
        note: what is missing or was left out, or "".
        truth: what a bundled clip is a sample of, in words; "" where nobody knows.
        events: (label, start, end) in seconds of what is known to sound in it.
    """

    name: str
    samples: np.ndarray
    sample_rate: int
    note: str = ""
    truth: str = ""
    events: tuple[tuple[str, float, float], ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What a checkpoint says about a clip.

    Attributes:
        checkpoint: its name.
        labels: most probable first.
        probabilities: of these, 0 to 1.
        label_names: all C.
        frame_scores: (T', C) score of each class around each frame, see `explain.moments`.
        frame_rate: of these frames, Hz.
        n_windows: stretches that the clip was cut into.
        multi_label: several labels can be right at once.
        strange: the clip is unlike all that the checkpoint learnt from, see `evaluation.familiarity`.
    """

    checkpoint: str
    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    label_names: tuple[str, ...]
    frame_scores: np.ndarray
    frame_rate: float
    n_windows: int
    multi_label: bool
    strange: bool = False


@dataclass(frozen=True)
class Analysis:
    """All that is known about the clip on the page; what is shown always comes from one of these.

    Attributes:
        token: changes with every analysis, so that late answers about another one can be told apart.
        clip: the sound as it came.
        sample: index of the bundled clip, -1 for a sound of the user's own.
        codec: its name.
        samples: (N,) float32 as the codec hears it.
        sample_rate: Hz, the codec's.
        codes: (K, T) int.
        frame_rate: Hz.
        kbps_per_codebook: kbit/s of one row.
        verdict: None where no checkpoint is offered.
        sure: probability from which a label is given without reserve, as the page has chosen it.
        origin: the same for all analyses that are copies of one (`asked`); "" for those of which no other is.
    """

    token: str
    clip: Clip
    sample: int
    codec: str
    samples: np.ndarray
    sample_rate: int
    codes: np.ndarray
    frame_rate: float
    kbps_per_codebook: float
    verdict: Verdict | None
    sure: float = SURE
    origin: str = ""

    def __deepcopy__(self, _memo: dict) -> Analysis:
        """Itself: nothing in it is ever changed, and Gradio copies what a page begins with for all who open it."""
        return self

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate

    @property
    def notes(self) -> tuple[str, ...]:
        """What is missing of the sound, was left out or cannot be heard."""
        told = (self.clip.note,) if self.clip.note else ()
        return told + rate_notes(self.clip.sample_rate, self.sample_rate)

    @property
    def answer(self) -> Answer | None:
        """What is said of the clip; None without a verdict."""
        if self.verdict is None:
            return None
        said, clip = self.verdict, self.clip
        level_db = Waveform(torch.from_numpy(clip.samples)[None], clip.sample_rate).level_db
        known = said.labels, said.probabilities, said.label_names, said.multi_label
        return answer(*known, level_db, clip.truth, self.sure)


def open_clip(path: str | Path, truth: str = "", events: tuple[tuple[str, float, float], ...] = ()) -> Clip:
    """Read a sound file; of a long one the first 30 s.

    Args:
        path: of the file.
        truth: what it is known to be.
        events: what is known to sound in it, and when.

    Returns:
        Clip.

    Raises:
        AudioformerError: not a readable sound file.
    """
    waveform, total_s = load_audio(path, mono=True, duration_s=SHOWN_S), length_s(path)
    notes = list(waveform.notes)
    if total_s is not None and total_s > SHOWN_S + 0.05:
        notes.append(f"first {SHOWN_S:.0f} s of {total_s:.0f} s")
    return Clip(Path(path).name, waveform.samples[0].numpy(), waveform.sample_rate, "; ".join(notes), truth, events)


def analyse(clip: Clip, sample: int, codec_name: str, checkpoint: str | None, models: Models) -> Analysis:
    """Code a clip and classify it.

    Args:
        clip: from `open_clip`.
        sample: index of the bundled clip, -1 for a sound of the user's own.
        codec_name: one of `models.codecs`.
        checkpoint: one of `models.checkpoints`, or None for no label.
        models: open codecs and classifiers.

    Returns:
        Analysis.

    Raises:
        AudioformerError: a name that is not offered, or weights that cannot be used.
    """
    codec = models.codec(codec_name)
    waveform = Waveform(torch.from_numpy(clip.samples)[None], clip.sample_rate)
    codes = codec.encode(waveform)[0].cpu()
    heard = resample(waveform.samples, waveform.sample_rate, codec.sample_rate)[0].numpy()
    verdict = classify(waveform, checkpoint, models, {codec.fingerprint: codes}) if checkpoint else None
    return Analysis(
        uuid4().hex,
        clip,
        sample,
        codec_name,
        heard,
        codec.sample_rate,
        codes.numpy().astype(np.int32),
        codec.frame_rate,
        codec.bandwidth_kbps(1),
        verdict,
    )


def classify(waveform: Waveform, checkpoint: str, models: Models, known: dict[str, Tensor]) -> Verdict:
    """Ask a checkpoint.

    Args:
        waveform: the sound.
        checkpoint: one of `models.checkpoints`.
        models: open classifiers.
        known: (K, T) codes of the sound by the fingerprint of their codec, so that nobody writes them twice.

    Raises:
        AudioformerError: the checkpoint is not offered or cannot be used.
    """
    classifier = models.classifier(checkpoint)
    read = known.get(classifier.codec.fingerprint) if classifier.classifier.config.rows != "frames" else None
    read = classifier.codes(waveform) if read is None else read
    found = classifier.scan(read)
    prediction = classifier.name_labels(found, waveform, TOP_K)
    familiarity = models.familiarity(checkpoint)
    return Verdict(
        checkpoint,
        tuple(prediction.labels),
        tuple(prediction.probabilities),
        tuple(prediction.label_names),
        moment_scores(classifier, read, found).numpy(),
        classifier.codec.frame_rate,
        len(prediction.window_start_s),
        prediction.multi_label,
        bool(familiarity and familiarity.unlike(read)),
    )
