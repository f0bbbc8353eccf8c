"""Codes of a whole data set, once: between data sets and training in the data path.

Each clip is read, perhaps varied, coded and written as one row of an Arrow shard. Shards are written under a temporary
name and renamed when whole, and finished ones are skipped, so a run that was killed continues where it stopped. Each
clip is coded by itself, on a core of its own: memory stays flat, and a clip's codes cannot depend on its neighbours.

Shapes: N samples, K codebooks, T frames.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from audioformer.codec import Codec
from audioformer.data.augment import AugmentConfig, augment_preset
from audioformer.data.corpus_format import (
    INFO_NAME,
    CorpusInfo,
    corpus_features,
    notes_path,
    problems_path,
    read_info,
    require_datasets,
    shard_path,
    write_info,
)
from audioformer.data.datasets import AudioDataset, Clip
from audioformer.data.frames import sound_frames
from audioformer.data.side_by_side import is_large, side_by_side
from audioformer.data.variants import Content, VariantMaker
from audioformer.errors import AudioformerError
from audioformer.files import atomic_path, held, sweep, writable_folder

ROWS_PER_SHARD = 512
MAX_UNREADABLE = 0.1  # share of the clips


@dataclass(frozen=True)
class PrepareRecord:
    """How far `prepare` is, after each clip and each skipped shard.

    Attributes:
        done: clips of this run dealt with.
        total: clips this run has to deal with.
        clip_id: the clip, or "" for a shard that was there already.
        shard: index of the file, from 0.
        n_shards: files in the corpus.
        audio_s: seconds of sound coded in this run.
        seconds: time taken by this run.
        problem: why this clip was left out; None if all went well.
        n_problems: clips left out so far, those of skipped shards included.
        notes: what its user must know of this clip: what of its file is missing, or was changed.
    """

    done: int
    total: int
    clip_id: str
    shard: int
    n_shards: int
    audio_s: float
    seconds: float
    problem: str | None
    n_problems: int
    notes: tuple[str, ...] = ()


def prepare(
    dataset: AudioDataset,
    codec: Codec,
    out_folder: str | os.PathLike,
    n_codebooks: int | None = None,
    shard: tuple[int, int] | None = None,
    variants: int = 1,
    seed: int = 0,
    augment: AugmentConfig | str | None = None,
    clip_s: float | None = None,
    n_shards: int | None = None,
    frames: str | None = None,
) -> Iterator[PrepareRecord]:
    """Code every clip of a data set and write the corpus; nothing happens until the records are taken.

    Args:
        dataset: from `open_dataset`.
        codec: from `load_codec`.
        out_folder: corpus folder; made if missing, continued if it holds the same corpus.
        n_codebooks: rows kept; None keeps all the codec has.
        shard: (i, n), i from 1 to n: do the i-th of n equal parts of the work, for n processes or machines that share
            the folder. None does everything.
        variants: codings of each clip; the first is the clip itself, the others are augmented by
            chance drawn from (seed, clip id, number) alone.
        seed: of the augmentation.
        augment: AugmentConfig, or the name of a preset ("light", "strong", ...); needed for variants > 1.
        clip_s: code at most this many seconds of a clip: its beginning, in augmented variants a random stretch.
        n_shards: files to cut the corpus into; None: about 512 rows a file.
        frames: "latents" or "mel256": keep these frames of numbers too, in 16 bits (75 * F * 2 bytes a second); None:
            codes only.

    Yields:
        PrepareRecord, one a clip.

    Raises:
        AudioformerError: settings out of range; the folder holds another corpus (the difference is named); another
            process prepares the same part of it; more than a tenth of the clips unreadable; the folder cannot be
            written.
    """
    require_datasets()
    folder = Path(out_folder)
    part, n_parts = _check_part(shard)
    config = augment_preset(augment) if isinstance(augment, str) else augment
    info = _describe(dataset, codec, n_codebooks, variants, seed, config, clip_s, frames)
    if folder.is_file():
        raise AudioformerError(f"{folder}: is a file; give a folder for the corpus")
    with contextlib.ExitStack() as until_the_end:
        with held(writable_folder(folder), ".start", wait_s=60):
            info = _claim(folder, info, n_shards, n_parts)
            if not _others_at_work(folder, part, n_parts):
                sweep(folder)
            until_the_end.enter_context(held(folder, f".{part}-of-{n_parts}"))
        run = _Run(dataset, codec, folder, info, config, range(part - 1, info.n_shards, n_parts))
        yield from run.records()


def _others_at_work(folder: Path, part: int, n_parts: int) -> bool:
    """Whether other processes prepare other parts of this corpus now; one that does the same part is refused."""
    at_work = False
    for lock in folder.glob(".lock.*-of-*"):
        other, n_others = map(int, lock.name.removeprefix(".lock.").split("-of-"))
        try:
            with held(folder, lock.name.removeprefix(".lock")):
                continue
        except AudioformerError:
            if n_others != n_parts or other == part:
                raise
            at_work = True
    return at_work


def _check_part(shard: tuple[int, int] | None) -> tuple[int, int]:
    part, n_parts = shard if shard is not None else (1, 1)
    if not 1 <= part <= n_parts:
        raise AudioformerError(f"shard {part}/{n_parts}: the first number goes from 1 to the second; e.g. 1/2 and 2/2")
    return part, n_parts


def _describe(dataset, codec, n_codebooks, variants, seed, config: AugmentConfig | None, clip_s, frames) -> CorpusInfo:
    """The corpus that is asked for; n_shards is settled later."""
    if variants < 1:
        raise AudioformerError(f"variants={variants} must be at least 1: the clip itself")
    if variants > 1 and (config is None or config == AugmentConfig()):
        raise AudioformerError(
            f"variants={variants} without augmentation would all be equal; give augment='light' or 'strong'"
        )
    if clip_s is not None and not clip_s > 0:
        raise AudioformerError(f"clip_s={clip_s} must be above 0 seconds; leave it out to code whole clips")
    if frames is not None:
        sound_frames(
            frames, codec, np.zeros(codec.hop_length, np.float32), codec.sample_rate
        )  # refuses what cannot be made
    if seed < 0:
        raise AudioformerError(f"seed={seed} must be 0 or more")
    return CorpusInfo(
        dataset=dataset.name,
        clips_hash=_hash_clips(dataset),
        n_clips=len(dataset),
        label_names=tuple(dataset.label_names),
        multi_label=dataset.multi_label,
        codec=describe_codec(codec),
        n_codebooks=codec.check_rows(n_codebooks),
        variants=variants,
        augment=asdict(config) if config is not None and variants > 1 else None,
        clip_s=clip_s,
        seed=seed,
        n_shards=1,
        frames=frames,
    )


def describe_codec(codec: Codec) -> dict:
    """What a corpus or a model must remember of the codec its codes come from."""
    names = ("name", "fingerprint", "sample_rate", "frame_rate", "codebook_size")
    return {name: getattr(codec, name) for name in names}


def _hash_clips(dataset: AudioDataset) -> str:
    digest = hashlib.sha256()
    for clip in dataset:
        digest.update(repr((clip.id, clip.labels, clip.fold, clip.split, clip.group, clip.events)).encode())
    return digest.hexdigest()[:16]


def _claim(folder: Path, info: CorpusInfo, n_shards: int | None, n_parts: int) -> CorpusInfo:
    """Make the folder a corpus, or check that it is this one.

    Parts started at the same moment come to the same answer.
    """
    if not (folder / INFO_NAME).is_file():
        if folder.is_dir() and any(folder.glob("shard-*.arrow")):
            raise AudioformerError(f"{folder}: holds shards but no {INFO_NAME}; choose another folder or empty it")
        rows = info.n_clips * info.variants
        n_shards = n_shards or -(-max(1, -(-rows // ROWS_PER_SHARD)) // n_parts) * n_parts
        if not 1 <= n_shards <= max(info.n_clips, n_parts):
            raise AudioformerError(f"n_shards={n_shards} must be 1 to {info.n_clips}, the number of clips")
        write_info(folder, replace(info, n_shards=n_shards))
    there = read_info(folder)
    asked = replace(info, n_shards=n_shards or there.n_shards)
    if differences := there.differences(asked):
        raise AudioformerError(
            f"{folder}: holds another corpus: {'; '.join(differences)}; choose another folder or delete it"
        )
    return there


class _Run:
    """One call of `prepare` at work."""

    def __init__(self, dataset: AudioDataset, codec: Codec, folder: Path, info: CorpusInfo, config, shards: range):
        self.dataset, self.codec, self.folder, self.info, self.shards = dataset, codec, folder, info, shards
        mono = codec.channels == 1
        self.maker = VariantMaker(dataset, codec.sample_rate, info.variants, config, info.seed, info.clip_s, mono)
        self.total = sum(len(self._clips_of(index)) for index in shards)
        self.done, self.audio_s, self.n_problems, self.started = 0, 0.0, 0, time.perf_counter()

    def _clips_of(self, index: int) -> range:
        n, shards = len(self.dataset), self.info.n_shards
        return range(n * index // shards, n * (index + 1) // shards)

    def records(self) -> Iterator[PrepareRecord]:
        """Shard after shard."""
        for index in self.shards:
            path = shard_path(self.folder, index, self.info.n_shards)
            if path.is_file():
                self.done += len(self._clips_of(index))
                if problems_path(path).is_file():
                    self.n_problems += len(json.loads(problems_path(path).read_text(encoding="utf-8")))
                yield self._record("", index)
            else:
                yield from self._write_shard(path, index)

    def _record(self, clip_id: str, index: int, problem: str | None = None, notes: tuple = ()) -> PrepareRecord:
        seconds = time.perf_counter() - self.started
        return PrepareRecord(
            done=self.done,
            total=self.total,
            clip_id=clip_id,
            shard=index,
            n_shards=self.info.n_shards,
            audio_s=self.audio_s,
            seconds=seconds,
            problem=problem,
            n_problems=self.n_problems,
            notes=notes,
        )

    def _write_shard(self, path: Path, index: int) -> Iterator[PrepareRecord]:
        from datasets.arrow_writer import ArrowWriter

        problems: dict[str, str] = {}
        notes: dict[str, list[str]] = {}
        with atomic_path(path) as temporary:
            clips = [self.dataset[position] for position in self._clips_of(index)]
            options = {"features": corpus_features(self.info.frames is not None), "writer_batch_size": 64}
            with (
                contextlib.closing(side_by_side(clips, self._rows, _is_large)) as coded,
                ArrowWriter(path=str(temporary), **options) as writer,
            ):
                for clip, found in coded:
                    problem = None
                    if isinstance(found, AudioformerError):
                        problem = problems[clip.id] = str(found)
                        self.n_problems += 1
                    else:
                        for row in found[0]:
                            writer.write(row)
                            self.audio_s += row["duration_s"]
                        if found[1]:
                            notes[clip.id] = list(found[1])
                    self.done += 1
                    self._refuse_if_hopeless(clip, problem)
                    yield self._record(clip.id, index, problem, tuple(notes.get(clip.id, ())))
                writer.finalize()
            _report(problems_path(path), problems)
            _report(notes_path(path), notes)

    def _refuse_if_hopeless(self, clip: Clip, problem: str | None) -> None:
        """Stop before the shard is written when too much is wrong: with half of many clips, or a tenth of all."""
        early = self.n_problems > 20 and self.n_problems > self.done / 2
        if problem is not None and (early or self.n_problems > MAX_UNREADABLE * self.total):
            raise AudioformerError(
                f"{self.n_problems} of the first {self.done} clips (of {self.total}) are unreadable, "
                f"more than a tenth; mend or remove them and run prepare again. The last, {clip.id}: "
                + problem.removeprefix(f"{clip.path.name}: ")
            )

    def _rows(self, clip: Clip) -> tuple[list[dict], tuple[str, ...]]:
        """All codings of a clip, all of which are written or none, and what is to be said about it; in any thread."""
        maker = copy.copy(self.maker)  # whose notes are of this clip
        return [self._row(clip, *variant) for variant in maker.variants_of(clip)], maker.notes

    def _row(self, clip: Clip, variant: int, samples: np.ndarray, content: Content) -> dict:
        """Codes of (C, N) samples and all that is known about them."""
        rate = self.codec.sample_rate
        codes = self.codec.encode(samples, rate, self.info.n_codebooks)[0].cpu().numpy()
        events = [{"label": label, "onset_s": on, "offset_s": off} for label, on, off in content.events]
        seen = sound_frames(self.info.frames, self.codec, samples, rate)[0].cpu().numpy() if self.info.frames else None
        more = {} if seen is None else {"frames": seen.astype(np.float16).reshape(-1)}
        return more | {
            "id": clip.id,
            "variant": variant,
            "labels": list(content.weights),
            "weights": list(content.weights.values()),
            "fold": clip.fold,
            "split": clip.split,
            "group": clip.group,
            "duration_s": samples.shape[-1] / rate,
            "n_samples": samples.shape[-1],
            "n_codebooks": codes.shape[0],
            "n_frames": codes.shape[1],
            "codes": codes.astype(np.uint16).reshape(-1),
            "events": events,
            "partner": content.partner[0],
            "partner_group": content.partner[1],
        }


def _is_large(clip: Clip) -> bool:
    return clip.duration_s is None and is_large(clip.path)


def _report(path: Path, entries: dict) -> None:
    """A JSON file beside a shard; none where there is nothing to report."""
    path.unlink(missing_ok=True)
    if entries:
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(entries, indent=1, ensure_ascii=False), encoding="utf-8")
