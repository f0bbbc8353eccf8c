"""Sound in, labels out: a checkpoint together with the codec it was trained on.

    clf = audioformer.load("esc10")
    clf.classify("dog.ogg").labels[0]

Shapes: N samples, K rows, T frames, W windows, C classes, D width.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audioformer.adapt import rebuild
from audioformer.audio import MAX_DURATION_S, Waveform, load_audio, quiet_answer, quietness, to_batch
from audioformer.checkpoint import load_checkpoint, open_model
from audioformer.classifier import Classifier
from audioformer.codec import Codec, require_fingerprint
from audioformer.codecs import load_codec
from audioformer.errors import AudioformerError
from audioformer.methods import read_config
from audioformer.predict import CodesPrediction, join_windows, predict_codes, window_starts
from audioformer.reading.sound import log_notes, to_full_scale

SCAN_BATCH = 2  # windows at a time: more are no faster on a CPU, and several threads share them out better


Sound = str | os.PathLike | Waveform | np.ndarray | Tensor  # whatever `classify` takes


@dataclass(frozen=True)
class Prediction:
    """What a classifier says about one sound.

    Attributes:
        labels: the top labels, best first.
        probabilities: theirs, in [0, 1].
        label_names: all C classes, in the model's order.
        window_probabilities: (W, C) float32, one row a window.
        window_start_s: (W,) float32, where each window begins, seconds.
        window_s: length of a window, seconds.
        duration_s: length of the sound, seconds.
        checkpoint: name or folder of the model.
        multi_label: True if each class was judged on its own.
        level_db: root mean square of its loudest half second, dB of full scale.
        notes: what its user must know: what of the file is missing, and whether it is too quiet to be named.
    """

    labels: list[str]
    probabilities: list[float]
    label_names: list[str]
    window_probabilities: np.ndarray
    window_start_s: np.ndarray
    window_s: float
    duration_s: float
    checkpoint: str
    multi_label: bool
    level_db: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def answer(self) -> str:
        """The best label, "silence" if all samples are 0, or "too quiet" below -45 dB of full scale."""
        return quiet_answer(self.level_db) or self.labels[0]

    def to_dict(self, file: str = "") -> dict:
        """As `audioformer classify --json` prints it."""
        pairs = zip(self.labels, self.probabilities, strict=True)
        return {
            "file": file,
            "checkpoint": self.checkpoint,
            "answer": self.answer,
            "labels": [{"label": label, "probability": round(p, 6)} for label, p in pairs],
            "duration_s": round(self.duration_s, 4),
            "level_db": round(self.level_db, 1),
            "notes": list(self.notes),
        }


class AudioClassifier:
    """A fine-tuned AudioFormer with its codec.

    Args:
        classifier: the model.
        codec: whose codes it reads.
        about: config.json of the checkpoint.
        name: of the checkpoint, as the caller gave it.

    Attributes:
        map_batches: runs batches of windows, see `predict_codes`.
    """

    def __init__(self, classifier: Classifier, codec: Codec, about: dict, name: str):
        self.classifier, self.codec, self.about, self.name = classifier.eval(), codec, about, name
        self.map_batches: Callable = map
        self.label_names: list[str] = list(about["label_names"])
        self.multi_label = bool(about["multi_label"])
        self.window_s = float(about["window_s"])
        if not (all(isinstance(label, str) for label in self.label_names) and 0 < self.window_s <= MAX_DURATION_S):
            limits = f"above 0 s and up to {MAX_DURATION_S:g} s"
            raise ValueError(f"label_names are text and window_s={self.window_s:g} lies {limits}")
        self.window = round(self.window_s * codec.frame_rate)

    @property
    def reads_codes(self) -> bool:
        """False if the model reads frames of numbers, so that no code of its input can be hidden or changed."""
        return self.classifier.backbone.reads_codes

    def codes(self, sound: Sound, sample_rate: int | None = None) -> Tensor:
        """What the model reads of a file, Waveform or array: (K, T) codes, or (F, T) frames of numbers.

        Raises:
            AudioformerError: unusable file or waveform.
        """
        return self._read(log_notes(sound, as_waveform(sound, sample_rate, self.codec.sample_rate)))

    def _read(self, waveform: Waveform) -> Tensor:
        """(K, T) or (F, T) of a waveform from `as_waveform`."""
        return self.classifier.backbone.read(self.codec, waveform)[0].cpu()

    def classify(self, sound: Sound, top_k: int = 5, sample_rate: int | None = None) -> Prediction:
        """Label a sound.

        Args:
            sound: file name, Waveform, or samples (N,) / (C, N) together with sample_rate.
            top_k: number of labels, at least 1; more than there are gives all.
            sample_rate: Hz, for bare samples.

        Returns:
            Prediction; long sounds are cut into half-overlapping windows whose probabilities are averaged.

        Raises:
            AudioformerError: unusable sound, or top_k < 1.
        """
        if not isinstance(top_k, int | np.integer) or top_k < 1:
            raise AudioformerError(f"top_k={top_k!r} must be a whole number of at least 1")
        waveform = as_waveform(sound, sample_rate, self.codec.sample_rate)
        return self.name_labels(self.classify_codes(self._read(waveform)), waveform, top_k)

    def name_labels(self, prediction: CodesPrediction, waveform: Waveform, top_k: int = 5) -> Prediction:
        """A prediction for the codes of a sound with names of labels, the best first, and what is to be said of it."""
        quiet = quietness(level_db := waveform.level_db)
        order = prediction.probabilities.argsort(descending=True, stable=True)[:top_k].tolist()
        return Prediction(
            labels=[self.label_names[i] for i in order],
            probabilities=[float(prediction.probabilities[i]) for i in order],
            label_names=self.label_names,
            window_probabilities=prediction.window_probabilities.numpy(),
            window_start_s=prediction.window_starts.numpy().astype(np.float32) / self.codec.frame_rate,
            window_s=self.window_s,
            duration_s=waveform.duration_s,
            checkpoint=self.name,
            multi_label=self.multi_label,
            level_db=level_db,
            notes=waveform.notes + ((quiet,) if quiet else ()),
        )

    def classify_codes(self, codes: Tensor, target_mask: Tensor | None = None) -> CodesPrediction:
        """Prediction for codes (K, T), with MASK where `target_mask` (K, T) is True.

        For those who change codes and look.
        """
        masks = None if target_mask is None else [target_mask]
        return predict_codes(self.classifier, [codes], self.window, self.multi_label, target_masks=masks)[0]

    @torch.no_grad()
    def embed(self, sound: Sound, frames: bool = False, sample_rate: int | None = None) -> np.ndarray:
        """The vector that the classifier's decision is linear in, but for what time bins add.

        Args:
            sound: as `classify`.
            frames: one vector per codec frame instead of one per sound.
            sample_rate: Hz, for bare samples.

        Returns:
            (D,) float32, or (T, D).

        Raises:
            AudioformerError: unusable sound.
        """
        codes = self.codes(sound, sample_rate)
        if not frames:
            return self.classify_codes(codes).embedding.numpy()
        backbone = self.classifier.backbone
        rows = [0] if backbone.config.rows == "separate" else None
        starts, vectors = window_starts(codes.shape[1], self.window), []
        for start in starts:
            batch = self.classifier.collate([codes[:, start : start + self.window]])
            hidden = backbone(batch.tokens, batch.padding, rows).hidden[0]  # (R, S, D)
            vectors.append(hidden.mean(0)[backbone.frame_slice].float())
        return join_windows(starts, vectors).numpy()

    def frame_probabilities(self, codes: Tensor) -> np.ndarray:
        """(T, C) class probabilities per codec frame, from the frame head or, without one, the clip's own head."""
        return self.scan(codes).frames.numpy()

    def scan(self, codes: Tensor) -> CodesPrediction:
        """What the model says about codes (K, T), as a whole and frame by frame, in one reading."""
        options = {"batch_size": SCAN_BATCH, "need_frames": True, "map_batches": self.map_batches}
        return predict_codes(self.classifier, [codes], self.window, self.multi_label, **options)[0]


def as_waveform(sound: Sound, sample_rate: int | None, target_hz: int) -> Waveform:
    """File, Waveform or bare samples to a mono Waveform at one rate.

    Raises:
        AudioformerError: unusable file, waveform or rate.
    """
    if isinstance(sound, str | os.PathLike):
        return load_audio(Path(sound), target_hz, mono=True)
    if not isinstance(sound, Waveform | np.ndarray | Tensor):
        raise AudioformerError(
            f"a {type(sound).__name__} is not a sound; give a file name, a Waveform, or samples with sample_rate"
        )
    rate, notes = (sound.sample_rate, sound.notes) if isinstance(sound, Waveform) else (sample_rate, ())
    batch = to_batch(sound, sample_rate, rate or target_hz)
    if batch.shape[0] != 1:
        raise AudioformerError(f"got a batch of {batch.shape[0]} sounds; give one at a time, (N,) or (C, N)")
    samples, scaled = to_full_scale(batch[0].cpu().numpy())
    return Waveform(torch.from_numpy(samples), rate, notes + scaled).at(target_hz)


def load(name: str | os.PathLike = "esc10", device: str = "cpu", codec: Codec | None = None) -> AudioClassifier:
    """Open a fine-tuned model: a bundled name ("esc10", "digits", "scenes"), a folder, or a Hugging Face Hub id.

    Args:
        name: which.
        device: torch device.
        codec: to share one that is open already; None opens the one the model was trained on.

    Returns:
        AudioClassifier.

    Raises:
        AudioformerError: unknown, damaged, not a classifier, or made for another codec.
    """
    state, about = load_checkpoint(name)
    if about["kind"] != "classifier":
        raise AudioformerError(
            f"{name}: is {about['kind']}, not a classifier; fine-tune it first (`audioformer finetune`)"
        )
    classifier = open_model(read_config(about), lambda: _build(about), state, name)
    codec = codec if codec is not None else load_codec(about["codec"]["name"], device=device)
    require_fingerprint(codec, about["codec"]["fingerprint"], f"checkpoint {name}")
    try:
        return AudioClassifier(classifier.to(device), codec, about, str(name))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise AudioformerError(f"{name}: damaged checkpoint ({error}); copy or train it again") from error


def _build(about: dict) -> Classifier:
    """The classifier that config.json describes, with fresh weights."""
    n_classes = len(about["label_names"])
    classifier = Classifier(read_config(about), n_classes, about["frame_head"], about.get("time_bins", 1))
    if about.get("adapt", {}).get("encoders"):
        rebuild(classifier, about)
    return classifier
