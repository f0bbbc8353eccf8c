"""Recipes: every named preset there is, of model sizes, of pre-training and of fine-tuning.

Source: AudioFormer (arXiv 2308.07221) and the scripts that its authors published; ours are marked. As far as these
scripts tell, the authors stop on the score of AudioSet's evaluation set. Here clips that are neither trained on nor
tested on decide: `audioformer finetune --held-out-split val`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from audioformer.config import Config, EncoderConfig, MaskConfig
from audioformer.errors import AudioformerError, check_names, require, require_counts, require_probabilities

LEAST_CROP_S = 0.1  # seconds: some frames of any codec


def require_stretches(config) -> None:
    """Clips are cut to `min_crop_s` to `crop_s` seconds: both must hold a frame of any codec."""
    for name in ("crop_s", "min_crop_s"):
        value = getattr(config, name)
        require(LEAST_CROP_S <= value < float("inf"), f"{name}={value} must be at least {LEAST_CROP_S} seconds; try 5")


@dataclass(frozen=True)
class TrainConfig(Config):
    """How the weights are moved. The paper's optimiser and schedule are not known: these are our choices."""

    n_steps: int = 2000  # optimiser steps
    batch_size: int = 32  # clips a step, over all processes and accumulated parts together
    # parts a step is computed in, to save memory; FT2's contrast then compares the clips of a part only
    accumulate: int = 1
    learning_rate: float = 1e-4  # peak, AdamW with betas (0.9, 0.98)
    head_factor: float = 1.0  # a fresh head may learn this many times faster
    weight_decay: float = 0.01  # on matrices only
    warm_up_share: float = 0.05  # of the steps
    schedule: str = "cosine"  # or "constant"
    clip_norm: float = 1.0  # longest gradient
    average: float = 0.0  # decay of the running mean of the weights that is exported; 0 exports the last weights
    bf16: bool = False  # matrix products in 16 bits
    gradient_checkpointing: bool = False  # blocks are computed again on the way back: a third slower, far less memory
    compile: bool = False  # torch.compile for the blocks: a slow first step, faster ones after it; needs a C++ compiler
    validate_every: int = 0  # steps between measurements on held-out clips; 0 never
    patience: int = 0  # stop after so many measurements without improvement; 0 never
    save_every: int = 200  # steps between resumable states
    # steps between checkpoints that stay, in the run's folder `steps`: the map shows them; 0 keeps none
    keep_every: int = 0
    seed: int = 0  # of data order, masks and dropout

    def __post_init__(self):
        """Refuse what cannot train."""
        require_counts(self, "n_steps", "batch_size", "accumulate", "save_every")
        require_probabilities(self, "weight_decay", "warm_up_share", "average")
        for name, usual in (("learning_rate", "1e-4"), ("head_factor", "1"), ("clip_norm", "1")):
            require(getattr(self, name) > 0, f"{name}={getattr(self, name)} must be above 0; try {usual}")
        for name in ("validate_every", "patience", "keep_every", "seed"):
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            require(whole and 0 <= value < 2**32, f"{name}={value!r} must be a whole number from 0 to {2**32 - 1}")
        require(self.schedule in ("cosine", "constant"), f"schedule={self.schedule!r} must be cosine or constant")
        require(
            self.batch_size % self.accumulate == 0,
            f"batch_size={self.batch_size} must be a multiple of accumulate={self.accumulate}",
        )


ADAPTATIONS = ("linear", "bias", "adapter", "lora", "full")


@dataclass(frozen=True)
class AdaptConfig(Config):
    """What learns, and how much of it."""

    name: str = "full"  # "linear", "bias", "adapter", "lora" or "full"
    rank: int = 8  # R of lora
    scale: float = 16.0  # of lora, divided by the rank: updates of different ranks then learn at like rates
    width: int = 32  # A of adapter

    def __post_init__(self):
        """Refuse an unknown name or sizes that cannot work."""
        check_names([self.name], list(ADAPTATIONS), "the list of adaptations")
        require_counts(self, "rank", "width")
        require(self.scale > 0, f"scale={self.scale} must be above 0; twice the rank is usual")


MODEL_PRESETS = {
    # RoFormer-base: what the AudioFormer authors' width and depth are *assumed* to be (they are not published).
    "paper": EncoderConfig(d_model=768, n_layers=12, n_heads=12, d_ff=3072, attention_dropout=0.1),
    "small": EncoderConfig(d_model=384, n_layers=6, n_heads=6, d_ff=1536),
    "tiny": EncoderConfig(d_model=256, n_layers=4, n_heads=4, d_ff=1024),
    # ours, in the size of the bundled models: pre-trained; from scratch for recordings and for words
    "bundled": EncoderConfig(d_model=192, n_layers=4, n_heads=4, d_ff=768, rows="summed", n_codebooks=8),
    "esc10": EncoderConfig(
        d_model=192, n_layers=4, n_heads=4, d_ff=768, rows="summed", n_codebooks=8, subsampling=4, dropout=0.25
    ),
    "digits": EncoderConfig(d_model=144, n_layers=3, n_heads=3, d_ff=576, rows="summed", n_codebooks=8),
    "test": EncoderConfig(d_model=32, n_layers=2, n_heads=2, d_ff=64, dropout=0.0),
}


def preset(name: str, **changes) -> EncoderConfig:
    """A named model size, with single fields changed.

    Args:
        name: "paper" (12 x 768), "small" (6 x 384), "tiny" (4 x 256), "bundled" (4 x 192, eight rows summed), "esc10",
            "digits" (those of the bundled checkpoints) or "test" (2 x 32).
        **changes: fields of EncoderConfig.

    Returns:
        EncoderConfig.

    Raises:
        AudioformerError: unknown preset or field, or a value out of range.

    Example:
        >>> preset("tiny", rows="summed", n_codebooks=8).n_codebooks
        8
    """
    check_names([name], list(MODEL_PRESETS), "the list of presets")
    return MODEL_PRESETS[name].with_changes(**changes)


@dataclass(frozen=True)
class PretrainConfig(Config):
    """A whole pre-training recipe."""

    model: EncoderConfig
    mask: MaskConfig
    train: TrainConfig
    crop_s: float = 10.0  # longest stretch of a clip, seconds (the authors': 10)
    min_crop_s: float = 10.0  # shortest stretch
    init_from_codebooks: bool = False  # ours: token embeddings start as the codec's codebook vectors
    join: bool = False  # ours: clips are drawn by their time, and short ones joined by EOA BOA until `crop_s` is full
    time_power: float = 1.0  # with join: a clip is drawn in proportion to its time to this power; 1: every second alike
    row_weights: tuple[float, ...] = ()  # how much each row's loss counts; (): all alike, as in the authors' runs

    def __post_init__(self):
        """Refuse stretches without a frame, and weights that do not go with the rows."""
        object.__setattr__(self, "row_weights", tuple(self.row_weights))  # JSON has lists only
        require_stretches(self)
        require_probabilities(self, "time_power")
        n_weights = len(self.row_weights)
        fits = n_weights in (0, self.model.n_codebooks) and all(weight > 0 for weight in self.row_weights)
        require(fits, f"row_weights={self.row_weights} must be none, or a number above 0 for each of the model's rows")


ROW_WEIGHTS = (0.2241, 0.1760, 0.1450, 0.1215, 0.1032, 0.0883, 0.0761, 0.0659)  # of 8 rows (arXiv 2309.07391)
PRETRAIN_PRESETS = {
    # lr 1e-4, batch 22 x 3 GPUs, bf16, 12 epochs of 1.93 M clips: the authors' AudioSet run, one encoder per row
    "paper": PretrainConfig(
        preset("paper"),
        MaskConfig(),
        TrainConfig(n_steps=351_000, batch_size=66, learning_rate=1e-4, bf16=True, save_every=1000),
    ),
    "small": PretrainConfig(
        preset("small"), MaskConfig(), TrainConfig(n_steps=40_000, learning_rate=3e-4, bf16=True, save_every=500)
    ),
    "tiny": PretrainConfig(
        preset("tiny"), MaskConfig(), TrainConfig(n_steps=1500, learning_rate=5e-4, bf16=True), 5.0, 1.0
    ),
    # ours: the bundled model; 8 rows summed per frame, runs of 5 hidden frames, embeddings that start as the codec's
    # vectors
    "bundled": PretrainConfig(
        preset("bundled"),
        MaskConfig(mask_ratio=0.25, span=5),
        TrainConfig(n_steps=450, batch_size=24, learning_rate=1e-3, average=0.998, weight_decay=0.05),
        crop_s=5.0,
        min_crop_s=1.0,
        init_from_codebooks=True,
    ),
    # ours, for hours of unlabelled sound of all kinds: groups of four frames, sequences that are full; an hour and more
    # of one core
    "hours": PretrainConfig(
        preset("esc10", dropout=0.0),
        MaskConfig(mask_ratio=0.25, span=5),
        TrainConfig(
            n_steps=9000,
            batch_size=16,
            learning_rate=1e-3,
            weight_decay=0.05,
            warm_up_share=0.03,
            average=0.998,
            bf16=True,
            validate_every=500,
        ),
        crop_s=5.0,
        min_crop_s=0.4,
        init_from_codebooks=True,
        join=True,
        time_power=0.75,
        row_weights=ROW_WEIGHTS,
    ),
    "test": PretrainConfig(
        preset("test", n_codebooks=2), MaskConfig(), TrainConfig(n_steps=4, batch_size=4, save_every=2), 1.0, 1.0
    ),
}


def pretrain_preset(name: str) -> PretrainConfig:
    """A named recipe; AudioformerError if unknown."""
    check_names([name], list(PRETRAIN_PRESETS), "the list of pre-training presets")
    return PRETRAIN_PRESETS[name]


METHODS = ("ft1", "ft2", "probe")
HIDDEN_RUN = 5  # `token_span` of our recipes
_OURS = {"token_mask": 0.15, "token_span": HIDDEN_RUN, "label_smoothing": 0.1}
_FIVE_S = {**_OURS, "crop_s": 5.0, "min_crop_s": 3.5}
_AS20K = TrainConfig(
    n_steps=12_850, batch_size=16, learning_rate=1e-4, schedule="constant", validate_every=1285, patience=3
)


@dataclass(frozen=True)
class FinetuneConfig(Config):
    """A whole fine-tuning recipe."""

    train: TrainConfig
    method: str = "ft1"  # "ft1", "ft2", or "probe": the linear layer alone learns
    alpha: float = 0.8  # FT2's share of the classification loss (authors: 0.8, later 0.97)
    temperature: float = 0.05  # FT2's (authors: 0.05, later 0.03)
    token_mask: float = 0.0  # share of the codes hidden in training, as augmentation (authors: 0; 0.1 for FSD50K)
    token_span: int = 1  # frames hidden together; more than one is ours
    row_dropout: float = 0.0  # ours: share of the clips that keep only their first rows in training (rows="summed")
    crop_s: float = 10.0  # longest stretch, seconds; the window of the finished classifier
    min_crop_s: float = 10.0  # shortest stretch
    label_smoothing: float = 0.0
    time_bins: int = 1  # ours: so many equal stretches of the window are also read one by one, so that the order counts
    # ours: token embeddings stay as they start; codes that training hardly holds keep their meaning
    keep_tables: bool = False
    dropout: float | None = None  # of the encoder while it learns labels; None: as in pre-training
    frame_head: bool = False  # a second head that learns event times frame by frame (needs events in the corpus)
    # ours: heads with several labels a clip start at how common labels are (arXiv 1708.02002, 4.1)
    base_rates: bool = False
    adapt: AdaptConfig = AdaptConfig()  # how much of the pre-trained model learns

    def __post_init__(self):
        """Refuse an unknown method, a value out of range, or two losses that are not computed together."""
        check_names([self.method], METHODS, "the list of fine-tuning methods")
        require_probabilities(self, "alpha", "row_dropout", "token_mask")
        require(self.token_mask < 1, f"token_mask={self.token_mask} must be below 1: something must stay to be seen")
        require_counts(self, "token_span", "time_bins")
        require_stretches(self)
        require(0 <= self.label_smoothing < 1, f"label_smoothing={self.label_smoothing} must lie in [0, 1); try 0.1")
        require(self.temperature > 0, f"temperature={self.temperature} must be above 0; the authors have 0.05")
        require(self.dropout is None or 0 <= self.dropout < 1, f"dropout={self.dropout} must lie in [0, 1); try 0.25")
        if self.method == "ft2" and self.frame_head:
            raise AudioformerError(
                "ft2 weighs two losses, of labels and contrast; a frame head's has no share: use ft1 with frame_head"
            )
        if self.method == "probe":
            require(self.time_bins == 1, f"a probe reads one vector a clip: time_bins={self.time_bins} must be 1")
            object.__setattr__(self, "adapt", AdaptConfig("linear"))


FINETUNE_PRESETS = {
    # the authors' ESC-50 run: 5 s, lr 1e-5, batch 32, <= 20 epochs of 1600 clips, patience 3 epochs
    "paper-esc50": FinetuneConfig(
        TrainConfig(
            n_steps=1000, batch_size=32, learning_rate=1e-5, schedule="constant", validate_every=50, patience=3
        ),
        crop_s=5.0,
        min_crop_s=5.0,
    ),
    # the authors' AS-20K run: 10 s, lr 1e-4, batch 16, <= 10 epochs of 20,550 clips, patience 3
    "paper-as20k": FinetuneConfig(_AS20K),
    # their two runs of FT2 there: the first from the pre-trained rows, the second from the model of a first
    "paper-as20k-ft2": FinetuneConfig(_AS20K, method="ft2", alpha=0.8, temperature=0.05),
    "paper-as20k-ft2-again": FinetuneConfig(
        replace(_AS20K, learning_rate=1e-5), method="ft2", alpha=0.97, temperature=0.03
    ),
    # the authors' FSD50K run, from their AudioSet model: as AS-20K, 4 epochs of 36,796 clips, a tenth of the codes
    # hidden
    "paper-fsd50k": FinetuneConfig(
        TrainConfig(
            n_steps=9_200, batch_size=16, learning_rate=1e-4, schedule="constant", validate_every=2300, patience=3
        ),
        token_mask=0.1,
    ),
    # ours, from a pre-trained model: first all classes of synthetic sound, one a clip; then, or at once, recordings or
    # scenes
    "synthetic": FinetuneConfig(
        TrainConfig(n_steps=400, batch_size=32, learning_rate=5e-4, head_factor=2.0, weight_decay=0.05, average=0.99),
        **_FIVE_S,
    ),
    "recordings": FinetuneConfig(
        TrainConfig(n_steps=300, batch_size=32, learning_rate=5e-4, head_factor=2.0, weight_decay=0.05, average=0.99),
        **_FIVE_S,
    ),
    # ours, from a fresh model of the same name: the bundled esc10 and digits
    "esc10": FinetuneConfig(
        TrainConfig(n_steps=960, batch_size=32, learning_rate=1e-3, weight_decay=0.05, average=0.99),
        **_FIVE_S,
        keep_tables=True,
    ),
    "digits": FinetuneConfig(
        TrainConfig(n_steps=800, batch_size=64, learning_rate=1.5e-3, head_factor=2.0, weight_decay=0.05, average=0.99),
        **_OURS,
        crop_s=1.5,
        min_crop_s=1.5,
        time_bins=8,
        keep_tables=True,
    ),
    "scenes": FinetuneConfig(
        TrainConfig(n_steps=700, batch_size=12, learning_rate=5e-4, head_factor=2.0, weight_decay=0.05, average=0.99),
        token_mask=0.1,
        token_span=HIDDEN_RUN,
        crop_s=5.0,
        min_crop_s=4.0,
        frame_head=True,
        base_rates=True,
    ),
    # ours: the frozen model reads every clip once, whole, and the linear layer learns from that
    "probe": FinetuneConfig(
        TrainConfig(n_steps=2000, batch_size=256, learning_rate=0.01, weight_decay=0.1),
        method="probe",
        crop_s=5.0,
        min_crop_s=5.0,
        label_smoothing=0.1,
    ),
    "test": FinetuneConfig(
        TrainConfig(n_steps=4, batch_size=4, learning_rate=1e-3, save_every=2), crop_s=1.0, min_crop_s=1.0
    ),
}


def finetune_preset(name: str) -> FinetuneConfig:
    """A named recipe; AudioformerError if unknown."""
    check_names([name], list(FINETUNE_PRESETS), "the list of fine-tuning presets")
    return FINETUNE_PRESETS[name]
