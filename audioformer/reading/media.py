"""Phones' and browsers' recordings, decoded by PyAV (FFmpeg) where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from audioformer.errors import AudioformerError
from audioformer.reading.parts import several_tracks


class MediaFile:
    """A phone's or browser's recording, decoded by PyAV (FFmpeg) from one end to the other.

    Args:
        path: of the file.
        form: FFmpeg's name of its format. It is never guessed: a play list would be let to open other files.

    Attributes:
        samplerate: Hz.
        channels: of the first sound track.
        frames: samples a channel that the header promises; None if it does not say.
        problem: what FFmpeg said if it had to stop before the end.
        notes: sentences for the user.

    Raises:
        AudioformerError: no sound track.
    """

    def __init__(self, path: Path, form: str):
        import av

        self._container = av.open(str(path.resolve()), format=form, metadata_errors="ignore")
        if not self._container.streams.audio:
            self._container.close()
            raise AudioformerError(f"{path.name}: holds no sound track; give a file with sound")
        self._stream = self._container.streams.audio[0]
        self.samplerate, self.channels = self._stream.rate, self._stream.channels
        if not self.samplerate or not self.channels:
            self._container.close()
            raise AudioformerError(f"{path.name}: its header gives no possible rate or channels; export it as WAV")
        duration = (self._container.duration or 0) / av.time_base
        if self._stream.duration:
            duration = float(self._stream.duration * self._stream.time_base)
        self.frames = round(duration * self.samplerate) if duration else None
        self.problem, self.notes = "", several_tracks(len(self._container.streams.audio))

    def blocks(self) -> Iterator[np.ndarray]:
        """(n, C) float32, in order."""
        import av

        plane = av.AudioResampler(format="fltp", layout=self._stream.layout, rate=self._stream.rate)
        try:
            for frame in self._container.decode(self._stream):
                yield from (part.to_ndarray().T for part in plane.resample(frame))
            yield from (part.to_ndarray().T for part in plane.resample(None))
        except (av.FFmpegError, ValueError) as error:
            self.problem = str(error)

    def close(self) -> None:
        """Close the file."""
        self._container.close()
