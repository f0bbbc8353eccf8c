"""The Free Spoken Digit Dataset: ROOT/recordings/{digit}_{speaker}_{take}.wav, 8 kHz, 6 speakers, 50 takes a digit.

https://github.com/Jakobovski/free-spoken-digit-dataset. Its official test set is takes 0 to 4.
"""

from __future__ import annotations

import os
import re

from audioformer.data.datasets.base import AudioDataset, Clip, left_out, one_level_down, require_folder
from audioformer.errors import AudioformerError
from audioformer.reading.files import sound_files

LAYOUT = "FSDD's layout: recordings/{digit}_{speaker}_{take}.wav"
NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>.+)_(?P<take>\d+)")
N_TEST_TAKES, TAKES_PER_FOLD = 5, 9


def open_fsdd(root: str | os.PathLike, fold: str = "take") -> AudioDataset:
    """Read FSDD.

    Args:
        root: folder with `recordings/`.
        fold: what the folds are for. "take" (known speakers): takes 5-13 are fold 1, 14-22 fold 2, ... 41-49 fold 5,
            and the official test takes 0-4 are in no fold. "speaker" (unseen speakers): fold 1 is the first speaker
            by name, and so on, test takes included.

    Returns:
        AudioDataset; labels "0" to "9"; split "test" for takes 0-4, else "train"; group is the speaker.

    Raises:
        AudioformerError: no such folder, a file with another kind of name, no files, or an unknown `fold`.
    """
    if fold not in ("take", "speaker"):
        raise AudioformerError(
            f"fold={fold!r}: FSDD's folds are by 'take' (known speakers) or 'speaker' (unseen speakers)"
        )
    root = require_folder(root, "FSDD", LAYOUT)
    root = one_level_down(root, lambda folder: (folder / "recordings").is_dir())
    folder = require_folder(root / "recordings", "FSDD", LAYOUT)
    parsed = []
    for path in sound_files(folder):
        match = NAME.fullmatch(path.stem)
        if match is None:
            raise AudioformerError(f"{path}: not named {{digit}}_{{speaker}}_{{take}}; rename or remove it")
        parsed.append((int(match["digit"]), match["speaker"], int(match["take"]), path))
    if not parsed:
        raise AudioformerError(f"{folder}: holds no sound files; expected {LAYOUT}")
    speakers = sorted({speaker for _, speaker, _, _ in parsed})
    clips = []
    for digit, speaker, take, path in sorted(parsed):
        number = speakers.index(speaker) + 1 if fold == "speaker" else _take_fold(take)
        split = "test" if take < N_TEST_TAKES else "train"
        clips.append(Clip(path.stem, path, (str(digit),), number, split, speaker))
    digits = tuple(str(digit) for digit in range(10))
    return AudioDataset(
        "fsdd",
        root,
        tuple(clips),
        digits,
        notes=left_out(folder, [clip.path for clip in clips]),
        mix_within=("fold", "split", "group"),
    )


def _take_fold(take: int) -> int | None:
    return None if take < N_TEST_TAKES else 1 + (take - N_TEST_TAKES) // TAKES_PER_FOLD
