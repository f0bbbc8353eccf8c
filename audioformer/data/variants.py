"""The codings of one clip: the clip as it is, then augmented ones, with labels and event times that follow the sound.

Between augmentation and `prepare`. N samples, C channels.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from audioformer.audio import quietness, to_mono
from audioformer.data.augment import AugmentConfig, TimeMap, augment_with_times
from audioformer.data.datasets import AudioDataset, Clip
from audioformer.data.effects import mixup
from audioformer.errors import AudioformerError


@dataclass(frozen=True)
class Content:
    """What can be heard in a stretch of sound.

    Attributes:
        weights: how much of each class, by class number: 1 unless clips were mixed.
        events: (class number, onset_s, offset_s).
        multi_label: True where a class whose last event was cut away is no longer a label.
        partner: id and group of the clip mixed in; "" for none.
    """

    weights: dict[int, float]
    events: tuple[tuple[int, float, float], ...]
    multi_label: bool
    partner: tuple[str, str] = ("", "")

    @classmethod
    def of(cls, dataset: AudioDataset, clip: Clip) -> Content:
        """Labels and events of a clip as the data set gives them."""
        events = tuple((dataset.label_index(label), onset_s, offset_s) for label, onset_s, offset_s in clip.events)
        return cls(dict.fromkeys(dataset.label_indices(clip), 1.0), events, dataset.multi_label)

    def moved(self, times: TimeMap) -> Content:
        """The same after a change of time; events that left the clip are dropped."""
        if not self.events:
            return self
        events = tuple((label, on, off) for label, *when in self.events for on, off in times.event(*when))
        gone = {label for label, _, _ in self.events} - {label for label, _, _ in events} if self.multi_label else set()
        return replace(self, weights={k: v for k, v in self.weights.items() if k not in gone}, events=events)

    def mixed(self, other: Content, weight: float) -> Content:
        """Both at once. With one label a clip, the labels share the weight; with several, all are simply there."""
        events = tuple(sorted(self.events + other.events, key=lambda event: event[1:]))
        if self.multi_label:
            return replace(self, weights=self.weights | other.weights, events=events)
        weights = {label: weight * own for label, own in self.weights.items()}
        for label, own in other.weights.items():
            weights[label] = weights.get(label, 0.0) + (1 - weight) * own
        return replace(self, weights=weights, events=events)


class VariantMaker:
    """Loads clips and varies them.

    Args:
        dataset: for label numbers, and for clips to mix with.
        sample_rate: Hz, of the codec.
        variants: how many of each clip; the first is always the clip itself.
        config: how to vary; unused for one variant.
        seed: of all chance, together with clip id and variant number.
        clip_s: longest stretch kept, seconds, or None.
        mono: mix the channels of every clip, for a codec of one channel; what the mixture leaves out is noted.

    Attributes:
        notes: what is to be said about the sound of the clip that was varied last.
    """

    def __init__(
        self,
        dataset: AudioDataset,
        sample_rate: int,
        variants: int,
        config: AugmentConfig | None,
        seed: int,
        clip_s: float | None,
        mono: bool = False,
    ):
        self.mono = mono
        self.dataset, self.sample_rate, self.variants = dataset, sample_rate, variants
        self.config, self.seed, self.clip_s = config, seed, clip_s
        self.notes: tuple[str, ...] = ()
        self.partners: dict[tuple, list[int]] = defaultdict(list)
        if config is not None and config.mixup_chance:
            for index, clip in enumerate(dataset):
                self.partners[self._bucket(clip)].append(index)

    def _bucket(self, clip: Clip) -> tuple:
        """Clips of one bucket may be mixed: never a test clip into training."""
        return tuple(getattr(clip, field) for field in self.dataset.mix_within)

    def variants_of(self, clip: Clip) -> Iterator[tuple[int, np.ndarray, Content]]:
        """Decode a clip once and vary it.

        Yields:
            (number, (C, N) float32 samples, Content); augmented variants have one channel.

        Raises:
            AudioformerError: the file cannot be read.
        """
        self.notes = ()
        wave, content = clip.load(self.sample_rate, self.mono), Content.of(self.dataset, clip)
        self.notes = (*wave.notes, *filter(None, [quietness(wave.level_db)]))
        length = self._limit(wave.samples.shape[1])
        yield 0, wave.samples[:, :length].numpy(), content.moved(TimeMap(1.0, 0.0, length / self.sample_rate))
        mono = to_mono(wave.samples)[0].numpy()
        for number in range(1, self.variants):
            digest = hashlib.sha256(f"{clip.id}\0{number}".encode()).digest()
            rng = np.random.default_rng([self.seed, int.from_bytes(digest[:8], "big")])
            samples, changed = self._vary(clip, mono, content, rng)
            yield number, samples[None], changed

    def _limit(self, n_samples: int) -> int:
        return n_samples if self.clip_s is None else max(1, min(n_samples, round(self.clip_s * self.sample_rate)))

    def _vary(
        self, clip: Clip, mono: np.ndarray, content: Content, rng: np.random.Generator
    ) -> tuple[np.ndarray, Content]:
        """One augmented variant of (N,) samples, at most clip_s long."""
        samples, times = augment_with_times(mono, self.sample_rate, rng, self.config)
        content = content.moved(times)
        if rng.random() < self.config.mixup_chance:
            samples, content = self._mix(clip, samples, content, rng)
        length = self._limit(samples.size)
        first = int(rng.integers(0, samples.size - length + 1))
        kept = TimeMap(1.0, -first / self.sample_rate, length / self.sample_rate)
        return samples[first : first + length], content.moved(kept)

    def _mix(
        self, clip: Clip, samples: np.ndarray, content: Content, rng: np.random.Generator
    ) -> tuple[np.ndarray, Content]:
        """Add another clip of the same bucket; one that cannot be read is not added."""
        other = self.dataset[int(rng.choice(self.partners[self._bucket(clip)]))]
        weight, where = float(rng.uniform(*self.config.mixup_weight)), float(rng.random())
        try:
            second = other.load(self.sample_rate, mono=True).samples[0].numpy()
        except AudioformerError:
            return samples, content
        start = round(where * (second.size - samples.size))
        there = TimeMap(1.0, -start / self.sample_rate, samples.size / self.sample_rate)
        mixed = content.mixed(Content.of(self.dataset, other).moved(there), weight)
        return mixup(samples, second, weight, start), replace(mixed, partner=(other.id, other.group))
