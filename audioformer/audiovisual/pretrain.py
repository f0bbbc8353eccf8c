"""Pre-training by contrast: sounds of a corpus, pictures made as they are needed. The kit's own loop and checkpoints.

Source: Wang et al. 2021 (arXiv 2104.12807): Adam, warm-up, cosine; sizes, steps and rates are ours, for two cores.
Shapes: B clips, M bands, K rows, T frames, F frames of the picture, C colours, S pixels a side.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from audioformer.audiovisual.config import FRAME_RATE, AudioVisualConfig
from audioformer.audiovisual.contrast import TEMPERATURE, mix_pictures, mix_sounds, mixing_weights, views_loss
from audioformer.audiovisual.digits import PAIRINGS, DigitPairs, coarser
from audioformer.audiovisual.model import AudioVisual
from audioformer.audiovisual.scenes import FINE_SIZE, SIZE, ScenePairs
from audioformer.checkpoint import save_checkpoint
from audioformer.codec import require_fingerprint
from audioformer.codecs import load_codec
from audioformer.data.batches import CodeSampler, batch_indices, random_crop, require_clips
from audioformer.data.frame_batch import FrameBatch
from audioformer.errors import AudioformerError, check_names, require
from audioformer.methods import Request
from audioformer.recipes import TrainConfig
from audioformer.tokens import collate
from audioformer.train import Task

PICTURE_SEED, FLOOR = 15485863, -15.94  # of what is drawn; the log of no energy
MEASURED = 64  # clips told apart at once in validation
SECOND_TOWER = {"digits": " and a picture tower", "scenes": " and a picture tower", "waveform": " and a waveform tower"}


@dataclass(frozen=True)
class AudioVisualRecipe:
    """A whole pre-training recipe."""

    model: AudioVisualConfig
    train: TrainConfig
    temperature: float = TEMPERATURE
    mix: bool = False  # mix each example with another, one weight for sound and picture
    pairing: str = "digit"  # how a recording of a digit gets its picture: digits.PAIRINGS
    resolution: int = 0  # pixels a side that are left of a picture; 0 = all; 50 = scenes are drawn finer
    spare_same: bool = False  # clips of the same class are no negatives; uses labels
    sound_s: float = 3.0  # stretch of a clip, seconds

    def __post_init__(self):
        """Refuse what cannot train."""
        check_names([self.pairing], list(PAIRINGS), "the list of pairings")
        require(0 < self.temperature <= 1, f"temperature={self.temperature} must lie above 0 and up to 1; try 0.1")
        require(self.sound_s > 0, f"sound_s={self.sound_s} must be above 0 seconds")
        seen = self.model.picture in ("digits", "scenes") and not self.model.codes
        require(not self.mix or seen, "mix=true: codes are names and cannot be mixed; only bands and pictures can")
        full = {"digits": 8, "scenes": SIZE}.get(self.model.picture, 1)
        fits = self.resolution == 0 or (self.resolution > 0 and full % self.resolution == 0)
        fits = fits or (self.model.picture == "scenes" and self.resolution == FINE_SIZE)
        require(fits, f"resolution={self.resolution} must divide the picture's {full} pixels a side, or be 0")

    def look(self, pictures: np.ndarray) -> np.ndarray:
        """Pictures (..., S, S) of scenes as they are seen: with fewer pixels where `resolution` says so."""
        return coarser(pictures, self.resolution) if 0 < self.resolution < pictures.shape[-1] else pictures

    def to_dict(self) -> dict:
        """Plain values, ready for JSON."""
        return asdict(self)


_DIGITS = TrainConfig(n_steps=300, batch_size=128, learning_rate=3e-3, average=0.98, save_every=100)
RECIPES = {
    "digits": AudioVisualRecipe(AudioVisualConfig(), _DIGITS, sound_s=0.64),
    "scenes": AudioVisualRecipe(
        AudioVisualConfig(picture="scenes", shared_width=64), replace(_DIGITS, n_steps=500, batch_size=32), 0.03
    ),
    # no picture: log-mel bands and codes of the same sound, the audio-only cousin (arXiv 2103.06508)
    "sound": AudioVisualRecipe(AudioVisualConfig(picture="none", codes=True), _DIGITS),
    "waveform": AudioVisualRecipe(AudioVisualConfig(picture="waveform"), _DIGITS, sound_s=0.64),
    "test": AudioVisualRecipe(
        AudioVisualConfig(channels=2, d_model=16, n_layers=1, shared_width=8, n_codebooks=2),
        TrainConfig(n_steps=4, batch_size=4, save_every=2),
        sound_s=0.8,
    ),
}


def requested_task(request: Request) -> PairContrast:
    """What `audioformer pretrain --method audiovisual` trains.

    Raises:
        AudioformerError: unknown preset or setting, an option of other methods, or a corpus that does not fit.
    """
    check_names([request.preset], list(RECIPES), "the list of audiovisual presets")
    foreign = [name for name in ("rows", "only_row", "codebooks") if request.options.get(name)]
    if foreign or request.start:
        option = "--from" if request.start else f"--{foreign[0].replace('_', '-')}"
        raise AudioformerError(
            f"{option}: the method audiovisual starts afresh and reads sound, not rows; leave it out"
        )
    recipe, size = RECIPES[request.preset], request.clips.codec["codebook_size"]
    config = request.override(replace(recipe, model=replace(recipe.model, codebook_size=size)), [])
    return PairContrast(config, request.clips, request.clips.codec, request.held_out)


class PairContrast(Task):
    """Tell which picture belongs to which sound.

    Args:
        config: the recipe.
        clips: a Corpus with mel256 frames, whose classes have pictures (digits.py, scenes.py); kept in memory.
        codec: description of the corpus's codec.
        held_out: clips never trained on; they get pictures of other writers, or in other colours.
        items: filled with what was read of `clips`, for other tasks with the same clips.
    """

    def __init__(
        self,
        config: AudioVisualRecipe,
        clips: Sequence,
        codec: dict,
        held_out: Sequence = (),
        items: dict | None = None,
    ):
        super().__init__()
        require_clips(clips, config.model.n_codebooks if config.model.codes else 0, "pre-training")
        torch.manual_seed(config.train.seed)
        self.config, self.codec, self.held_out = config, codec, held_out
        self.model = AudioVisual(config.model)
        self.crop = round(config.sound_s * FRAME_RATE)
        train = config.train
        self.sampler = CodeSampler(clips, train.batch_size, train.accumulate, self.crop, self.crop, train.seed)
        self.chance = {"contrast": math.log(train.batch_size // train.accumulate)}
        self.learned = Clips(self.model, clips, config, "train", items)
        self.measured = Clips(self.model, held_out, config, "val") if len(held_out) else None

    def batch(self, step: int, micro_step: int = 0, rank: int = 0, world: int = 1) -> dict:
        """Sounds, pictures and, with codes, codes of one part of a step."""
        places = self.sampler.places(micro_step, rank, world)
        chosen = batch_indices(len(self.sampler.clips), self.config.train.batch_size, step, self.config.train.seed)
        rngs = [np.random.default_rng([self.config.train.seed, PICTURE_SEED, step, int(place)]) for place in places]
        batch = self.learned.batch(chosen[places], rngs, self.crop)
        if self.config.mix:
            weights = mixing_weights(self.sampler.generators(step, micro_step, rank, world))
            padding = batch["sound"].padding
            batch["sound"] = FrameBatch(mix_sounds(batch["sound"].tokens, weights), padding & padding.roll(-1, 0))
            batch["picture"] = mix_pictures(batch["picture"], weights)
        return batch

    def weigh(self, batch: dict) -> float:
        """Clips to tell apart."""
        return float(len(batch["sound"].tokens))

    def forward(self, batch: dict) -> dict[str, Tensor]:
        """Loss, nats, and the share of partners that are found in the batch."""
        views = self.views(batch)
        same = batch["label"][:, None] == batch["label"] if self.config.spare_same else None
        return views_loss(views, self.config.temperature, same, self.weights(batch))

    def weights(self, batch: dict) -> Tensor:
        """(B, F) how much each moment of the sounds counts."""
        return self.model.moments(batch["sound"].tokens.to(next(self.model.parameters()).device))

    def views(self, batch: dict) -> dict[str, Tensor]:
        """(B, F, P, E) unit vectors of each view."""
        device = next(self.model.parameters()).device
        sound = batch["sound"].to(device)
        views = {"sound": self.model.sound_vectors(sound.tokens, sound.padding)}
        if "codes" in batch:
            codes = batch["codes"].to(device)
            views["codes"] = self.model.code_vectors(codes.tokens, codes.padding)
        if "waveform" in batch:
            views["waveform"] = self.model.wave_vectors(batch["waveform"].to(device))
        if "picture" in batch:
            views["picture"] = self.model.picture_vectors(batch["picture"].to(device))
        return views

    def validate(self) -> dict[str, float] | None:
        """Loss and share of partners found among up to 64 held-out clips, with fixed pictures; score = -loss."""
        if self.measured is None or len(self.held_out) < 2:
            return None
        chosen = np.linspace(0, len(self.held_out) - 1, min(MEASURED, len(self.held_out))).astype(int)
        rngs = [np.random.default_rng([PICTURE_SEED, int(i)]) for i in chosen]
        batch = self.measured.batch(chosen, rngs, self.crop)
        found = views_loss(self.views(batch), self.config.temperature, weights=self.weights(batch))
        losses = {name: float(value) for name, value in found.items()}
        return losses | {"score": -losses["total"]}

    def identity(self) -> dict:
        """What a resumed run must share."""
        config = {name: value for name, value in self.config.to_dict().items() if name != "train"}
        return {"method": "audiovisual", **config, "codec": self.codec["fingerprint"], **self.clips_learned}

    def export(self, folder: Path, last: dict | None, weights: dict[str, Tensor] | None) -> None:
        """Write the towers as a checkpoint folder."""
        state = weights if weights is not None else self.state_dict()
        state = {k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")}
        about = {
            "kind": "pretrained",
            "method": "audiovisual",
            "model": self.config.model.to_dict(),
            "codec": self.codec,
            "recipe": self.config.to_dict(),
            **self.progress(last),
        }
        save_checkpoint(folder, state, about, audiovisual_card(about))


class Clips:
    """Sounds of a corpus in memory, and pictures for them.

    Args:
        model: that reads them.
        clips: of a corpus with mel256 frames.
        config: the recipe.
        part: "train", "val" or "test": whose digits, and which colours.
        items: what was read of these clips, by number; it grows.
    """

    def __init__(
        self,
        model: AudioVisual,
        clips: Sequence,
        config: AudioVisualRecipe,
        part: str,
        items: dict[int, tuple[Tensor, Tensor]] | None = None,
    ):
        self.model, self.clips, self.config = model, clips, config
        self._items = {} if items is None else items
        self._waves, self._codec = {}, None
        matrix = getattr(clips, "label_matrix", None)
        self.labels = np.zeros(len(clips), int) if matrix is None or not matrix.size else matrix.argmax(1)
        names, kind = getattr(clips, "label_names", ()), config.model.picture
        if kind == "digits":
            digits = [int(names[label]) if names and names[label].isdigit() else -1 for label in self.labels]
            self.pairs = DigitPairs(digits, part, config.pairing, config.resolution or 8)
        elif kind == "scenes":
            kinds = [names[label] if names else "?" for label in self.labels]
            size = max(SIZE, config.resolution)
            self.pairs = ScenePairs(kinds, lambda index: self.item(index)[0].numpy(), part != "train", size)
        else:
            self.pairs = None

    def item(self, index: int) -> tuple[Tensor, Tensor]:
        """(M, T) bands and (K, T) codes of a clip."""
        index = int(index)
        if index not in self._items:
            item = self.clips[index]
            self._items[index] = (self.model.inputs(item), torch.as_tensor(item.codes))
        return self._items[index]

    def wave(self, index: int, span: slice, crop: int) -> Tensor:
        """(N,) samples of a stretch of a clip, as its codes decode, with silence behind it up to `crop` frames."""
        if self._codec is None:
            self._codec = load_codec(self.clips.codec["name"])
            require_fingerprint(self._codec, self.clips.codec["fingerprint"], "the corpus")
        if index not in self._waves:
            with torch.no_grad():
                self._waves[index] = self._codec.decode(self.item(index)[1][None].long())[0].mean(0)
        hop = self._codec.hop_length
        stretch = self._waves[index][span.start * hop : span.stop * hop]
        return nn.functional.pad(stretch, (0, crop * hop - len(stretch)))

    def batch(self, chosen: Sequence[int], rngs: Sequence[np.random.Generator], crop: int) -> dict:
        """Views of these clips; what is random comes from `rngs`, one a clip.

        Args:
            chosen: numbers of clips.
            rngs: of crops and pictures.
            crop: longest sound, frames; scenes have exactly this length, silent where the clip has ended.
        """
        items = [self.item(index) for index in chosen]
        if self.config.model.picture == "scenes":  # a scene begins with its sound
            spans = [slice(0, crop)] * len(items)
        else:
            spans = [random_crop(bands.shape[1], crop, crop, rng) for (bands, _), rng in zip(items, rngs, strict=True)]
        sounds = [bands[:, span] for (bands, _), span in zip(items, spans, strict=True)]
        batch = {"sound": padded_sounds(sounds, crop, self.config.model.picture == "scenes")}
        batch["label"] = torch.from_numpy(self.labels[np.asarray(chosen)])
        if self.config.model.codes:
            size, rows = self.config.model.codebook_size, self.config.model.n_codebooks
            clips = [codes[:rows, span] for (_, codes), span in zip(items, spans, strict=True)]
            batch["codes"] = collate(clips, size)
        if self.config.model.picture == "waveform":
            batch["waveform"] = torch.stack([self.wave(i, span, crop) for i, span in zip(chosen, spans, strict=True)])
        if self.pairs is not None:
            pictures = self.pairs.draw(chosen, rngs)
            pictures = self.config.look(pictures) if self.config.model.picture == "scenes" else pictures
            batch["picture"] = torch.from_numpy(np.ascontiguousarray(pictures, dtype=np.float32))
        return batch


def padded_sounds(clips: Sequence[Tensor], crop: int, to_the_end: bool = False) -> FrameBatch:
    """Bands (M, T_i) in a batch of one length, silence behind each clip's end.

    Args:
        clips: at most `crop` frames each.
        crop: frames.
        to_the_end: the silence counts as sound, so that moments of the clip keep their time (scenes).
    """
    tokens = torch.full((len(clips), len(clips[0]), crop), FLOOR)
    for row, clip in zip(tokens, clips, strict=True):
        row[:, : clip.shape[1]] = clip
    lengths = torch.tensor([[crop if to_the_end else clip.shape[1]] for clip in clips])
    return FrameBatch(tokens, torch.arange(crop) >= lengths)


def audiovisual_card(about: dict) -> str:
    """Model card, from config.json."""
    model, chance = about["model"], about["chance"].get("contrast", 0)
    losses = "\n".join(f"| {name} | {value:.3f} |" for name, value in about["losses"].items())
    seen = {"digits": "handwritten digits", "scenes": "drawn scenes"}.get(model["picture"], "no pictures")
    return (
        f"# Sound and sight: {seen}\n\nA sound tower{' and a code tower' if model['codes'] else ''}"
        f"{SECOND_TOWER.get(model['picture'], '')}, trained so that what belongs together comes "
        "near each other (Wang et al. 2021, arXiv 2104.12807, in small).\n\n"
        f"Trained on {about['n_clips']} clips for {about['steps']} steps ({about['seconds']:.0f} s).\n\n"
        f"| last training step | nats (chance {chance:.3f}) or share |\n|---|---|\n{losses}\n\n"
        f"Held-out clips: {about['validation'] or 'none were held out'}\n\n"
        f"Recipe:\n```json\n{json.dumps(about['recipe'], indent=1)}\n```\n\n"
        f"Data and licence: {about.get('data', 'as given to `audioformer pretrain`; pictures of digits: UCI')}\n\n"
        "Limits: knows these sounds and these pictures only; scenes are drawn, nothing was learned from a film.\n"
    )
