"""Listening while the sound still comes in: its codes, and what a classifier makes of the latest window.

    listener = LiveListener(audioformer.load("esc10"))
    for chunk in microphone:                       # any number of samples, at any one rate
        listener.push(chunk, 48_000)               # cheap: takes every sample, gives the codes that are known now
        heard = listener.label()                   # dearer: only when one has the time; the latest window wins
    listener.cut(3.0, 5.0)                         # a moment of the last half minute, as a Waveform

Chunks of any size give exactly the codes of the whole sound (`audioformer.codecs.stream`), resampling included, and
memory does not grow with it. App and notebook listen with this class.

Shapes: N samples, K codebooks, T frames. Times in seconds since the first sample.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from audioformer.audio import Waveform, quiet_answer, to_batch
from audioformer.classify import AudioClassifier
from audioformer.codec import Codec, require_fingerprint
from audioformer.errors import AudioformerError

KEEP_S = 30.0
SHORTEST_S = 0.25  # less sound than this is given no label


@dataclass(frozen=True)
class Heard:
    """What a classifier said about one window.

    Attributes:
        start_s: where the window began.
        end_s: where it ended: the last frame that was known.
        labels: best first.
        probabilities: theirs, 0 to 1.
        level_db: root mean square of its loudest half second, dB of full scale.
    """

    start_s: float
    end_s: float
    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    level_db: float

    @property
    def answer(self) -> str:
        """The best label, "silence" if all samples are 0, or "too quiet" below -45 dB of full scale."""
        return quiet_answer(self.level_db) or self.labels[0]


class LiveListener:
    """One sound as it comes in: push samples, get codes, ask for a label whenever there is time.

    Args:
        classifier: gives the labels; None: codes only.
        codec: for the codes where there is no classifier.
        keep_s: how much of sound, codes and labels is kept, seconds.
        top_k: labels of each `Heard`.

    Attributes:
        n_samples: taken so far, at the codec's rate.
        n_frames: frames whose codes are known.
        first_frame: first one still kept.
        samples: (N,) float32 at the codec's rate, from `first_frame` on.
        codes: (K, T) int64, from `first_frame` on.
        history: `Heard`, oldest first, as far back as the sound is kept.

    Raises:
        AudioformerError: neither classifier nor codec, a classifier that reads something else than codes, or keep_s not
            longer than the codec's look-ahead.

    Example:
        >>> from audioformer import load_codec
        >>> listener = LiveListener(codec=load_codec("compact"))
        >>> listener.push(torch.zeros(4800), 48_000).shape
        torch.Size([8, 4])
    """

    def __init__(
        self,
        classifier: AudioClassifier | None = None,
        codec: Codec | None = None,
        keep_s: float = KEEP_S,
        top_k: int = 5,
    ):
        if classifier is None and codec is None:
            raise AudioformerError(
                "nothing to listen with; give a classifier (audioformer.load) or a codec (load_codec)"
            )
        self.codec = codec if classifier is None else classifier.codec
        self.classifier, self.top_k = None, top_k
        if classifier is not None:
            self.use(classifier)
        if not keep_s >= self.codec.look_ahead_s + 1:
            least = self.codec.look_ahead_s + 1
            raise AudioformerError(
                f"keep_s={keep_s} must be at least {least:g} s, a second more than the codec looks ahead"
            )
        self.keep_frames = round(keep_s * self.codec.frame_rate)
        self.n_samples = self.n_frames = self.first_frame = 0
        self.samples = torch.zeros(0)
        self.codes = torch.zeros(self.codec.n_codebooks, 0, dtype=torch.int64)
        self.history: deque[Heard] = deque()
        self.sample_rate: int | None = None  # of what is pushed
        self._stream, self._resampler, self._n_pushed = self.codec.stream(), None, 0

    @property
    def duration_s(self) -> float:
        """Seconds of sound taken so far."""
        return self.n_samples / self.codec.sample_rate

    @property
    def kept_s(self) -> float:
        """Time of the first sample that is still kept."""
        return self.first_frame / self.codec.frame_rate

    def use(self, classifier: AudioClassifier) -> None:
        """Go on with another classifier that reads the same codec.

        Raises:
            AudioformerError: it reads another codec, or frames instead of codes.
        """
        if not classifier.reads_codes:
            raise AudioformerError(
                f"{classifier.name} reads frames, not codes; listen live with an AudioFormer such as esc10"
            )
        require_fingerprint(self.codec, classifier.codec.fingerprint, f"checkpoint {classifier.name}")
        self.classifier = classifier

    def push(self, samples, sample_rate: int) -> Tensor:
        """Take sound.

        Args:
            samples: (N,) or (C, N) array or tensor, N >= 0; integers are scaled to +-1, channels averaged.
            sample_rate: Hz, the same each time.

        Returns:
            (K, T_new) int64: codes that are known now and were not before; T_new is often 0.

        Raises:
            AudioformerError: another rate than before, or samples that are not a sound. Then nothing is taken.
        """
        samples = torch.as_tensor(samples)
        if self.sample_rate not in (None, sample_rate):
            raise AudioformerError(
                f"sound at {sample_rate} Hz after sound at {self.sample_rate} Hz; start another LiveListener for it"
            )
        if samples.dim() not in (1, 2):
            raise AudioformerError(f"chunk has shape {tuple(samples.shape)}; push (N,) or (C, N)")
        if samples.shape[-1] == 0:
            return self.codes[:, :0]
        mono = to_batch(samples, sample_rate, sample_rate)[0, 0]
        self.sample_rate = sample_rate
        self._n_pushed += len(mono)
        return self._take(self._resampled(mono))

    def finish(self) -> Tensor:
        """The sound is over: the codes that were still open, (K, T_new).

        Raises:
            AudioformerError: finished before.
        """
        rest = self._resampled(torch.zeros(0), last=True)
        if self.sample_rate is not None:  # as long as the whole sound resampled at once: a begun sample counts
            n_samples = -(-self._n_pushed * self.codec.sample_rate // self.sample_rate)
            rest = F.pad(rest, (0, n_samples - self.n_samples - len(rest)))
        return torch.cat([self._take(rest), self._add(self._stream.finish()[0].cpu())], -1)

    def label(self, window_s: float | None = None) -> Heard | None:
        """What the classifier says about the latest window; call it as seldom as you like.

        Args:
            window_s: length; None: what the classifier was trained on, which is also the most.

        Returns:
            Heard, also noted in `history`; None without classifier, or before a quarter of a second is known.

        Raises:
            AudioformerError: window_s shorter than a quarter of a second.
        """
        rate, clf = self.codec.frame_rate, self.classifier
        if window_s is not None and not window_s >= SHORTEST_S:
            raise AudioformerError(f"window_s={window_s} must be at least {SHORTEST_S} s")
        if clf is None or self.n_frames < SHORTEST_S * rate:
            return None
        length = clf.window if window_s is None else min(clf.window, round(window_s * rate))
        codes = self.codes[:, -length:]
        found = clf.classify_codes(codes[: clf.classifier.config.n_codebooks]).probabilities
        best = found.argsort(descending=True, stable=True)[: self.top_k].tolist()
        start_s, end_s = (self.n_frames - codes.shape[1]) / rate, min(self.n_frames / rate, self.duration_s)
        level_db = self.cut(start_s, end_s).level_db
        heard = Heard(
            start_s, end_s, tuple(clf.label_names[i] for i in best), tuple(float(found[i]) for i in best), level_db
        )
        while self.history and self.history[-1].end_s >= end_s:
            self.history.pop()
        self.history.append(heard)
        return heard

    def cut(self, start_s: float, end_s: float) -> Waveform:
        """A moment of what is kept.

        Args:
            start_s: seconds since the first sample.
            end_s: later than that.

        Raises:
            AudioformerError: not, or not wholly, among the sound that is kept.
        """
        rate = self.codec.sample_rate
        first, last = round(start_s * rate), round(end_s * rate)
        kept = self.first_frame * self.codec.hop_length
        if not kept <= first < last <= self.n_samples:
            raise AudioformerError(
                f"{start_s:.2f}-{end_s:.2f} s is not kept; there are {self.kept_s:.2f}-{self.duration_s:.2f} s"
            )
        return Waveform(self.samples[None, first - kept : last - kept].clone(), rate)

    def _resampled(self, mono: Tensor, last: bool = False) -> Tensor:
        """(N',) at the codec's rate: chunk by chunk the very samples that the whole sound would give."""
        if self.sample_rate in (None, self.codec.sample_rate):
            return mono
        if self._resampler is None:
            import soxr

            self._resampler = soxr.ResampleStream(
                self.sample_rate, self.codec.sample_rate, 1, dtype="float32", quality="HQ"
            )
        return torch.from_numpy(self._resampler.resample_chunk(mono.numpy(), last=last).copy())

    def _take(self, samples: Tensor) -> Tensor:
        self.samples = torch.cat([self.samples, samples])
        self.n_samples += len(samples)
        return self._add(self._stream.push(samples.expand(self.codec.channels, -1))[0].cpu())

    def _add(self, codes: Tensor) -> Tensor:
        """Keep new codes, and let go of what is too old."""
        self.codes = torch.cat([self.codes, codes], -1)
        self.n_frames += codes.shape[1]
        old = min(self.n_samples // self.codec.hop_length - self.keep_frames, self.n_frames) - self.first_frame
        if old > 0:
            self.first_frame += old
            self.samples, self.codes = self.samples[old * self.codec.hop_length :].clone(), self.codes[:, old:].clone()
        while self.history and self.history[0].end_s <= self.kept_s:
            self.history.popleft()
        return codes
