"""What the ablation compares: each row of its table as one line of a list, and the sizes it runs at.

Part of `bench ablation`. A row changes one thing in the authors' recipe (separate rows, a quarter of the codes hidden
one by one, FT1 on row 1) or in FT2 (alpha 0.8, temperature 0.05).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from audioformer.config import Config, EncoderConfig, MaskConfig
from audioformer.errors import check_names
from audioformer.recipes import HIDDEN_RUN, FinetuneConfig, TrainConfig, preset

SCRATCH, SVM = "scratch", "svm"  # rows without pre-training, without a transformer


@dataclass(frozen=True)
class Variant:
    """One row of the table."""

    title: str
    method: str = "ft1"  # "ft1", "ft2" or "probe"
    rows: str = "separate"  # or "shared", "summed"
    read_row: int = 0  # the codebook row that is read, from 0 (rows="separate" without MPC)
    n_codebooks: int | None = None  # where all rows are read: how many; None = as many as the preset says
    from_codebooks: bool = False  # embeddings start as the codec's vectors
    pretrained: bool = True
    mask: MaskConfig = MaskConfig()
    synthetic: bool = True  # synthetic clips in pre-training
    alpha: float = 0.8
    temperature: float = 0.05


VARIANTS = {
    SVM: Variant("log-mel and MFCC statistics, SVM", method=SVM, pretrained=False),
    SCRATCH: Variant("from scratch", pretrained=False),
    "probe": Variant("MLM, then linear probe", method="probe"),
    "ft1": Variant("MLM, then FT1 (row 1 alone)"),
    "ft2": Variant("MLM, then FT2 (MPC)", method="ft2"),
    "row2": Variant("FT1 on row 2 alone", read_row=1),
    "row3": Variant("FT1 on row 3 alone", read_row=2),
    "shared": Variant("FT1, one encoder for all rows", rows="shared"),
    "summed": Variant("FT1, rows summed", rows="summed"),
    "recipe": Variant(
        "FT1, our recipe: 8 rows summed, runs of 5 hidden, embeddings from the codec",
        rows="summed",
        n_codebooks=8,
        mask=MaskConfig(span=5),
        from_codebooks=True,
    ),
    "mask15": Variant("15 % hidden", mask=MaskConfig(mask_ratio=0.15)),
    "mask50": Variant("50 % hidden", mask=MaskConfig(mask_ratio=0.5)),
    "span5": Variant("25 % hidden, runs of 5 frames", mask=MaskConfig(span=5)),
    "no-synth": Variant("no synthetic sound in pre-training", synthetic=False),
    "alpha0.5": Variant("FT2, alpha 0.5", method="ft2", alpha=0.5),
    "alpha0.97": Variant("FT2, alpha 0.97", method="ft2", alpha=0.97),
    "tau0.03": Variant("FT2, temperature 0.03", method="ft2", temperature=0.03),
    "tau0.1": Variant("FT2, temperature 0.1", method="ft2", temperature=0.1),
}
REFERENCE = {name: "ft2" if v.method == "ft2" and name != "ft2" else "ft1" for name, v in VARIANTS.items()}


@dataclass(frozen=True)
class DataSpec:
    """A data set with folds to hold out in turn."""

    name: str  # "esc10" or "digits"
    title: str
    layout: str  # for `open_dataset`
    options: dict
    finetune: FinetuneConfig


@dataclass(frozen=True)
class AblationConfig(Config):
    """How large everything is."""

    model: EncoderConfig  # for separate rows; the others have the same sizes
    pretrain: TrainConfig
    pretrain_crop_s: float
    esc10: FinetuneConfig
    digits: FinetuneConfig
    codings: int = 8  # of each recording, all but the first augmented
    augment: str = "strong-mixup"  # for ESC-10; digits take "light"
    n_synthetic: int = 400  # clips of 5 s in pre-training
    n_seeds: int = 3

    def data(self) -> dict[str, DataSpec]:
        """The two tasks."""
        return {
            "esc10": DataSpec("esc10", "ESC-10, each fold held out", "esc50", {"esc10_only": True}, self.esc10),
            "digits": DataSpec(
                "digits", "spoken digits, each speaker held out", "fsdd", {"fold": "speaker"}, self.digits
            ),
        }


def _recipe(
    n_steps: int, crop_s: float, batch_size: int = 32, learning_rate: float = 5e-4, **changes
) -> FinetuneConfig:
    train = TrainConfig(
        n_steps=n_steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        head_factor=2.0,
        weight_decay=0.05,
        average=0.98 if n_steps > 50 else 0.0,
        save_every=n_steps,
    )
    return FinetuneConfig(
        train, token_mask=0.15, token_span=HIDDEN_RUN, crop_s=crop_s, min_crop_s=crop_s, label_smoothing=0.1, **changes
    )


ABLATION_PRESETS = {
    # one core: a quarter of a minute to a minute a pre-training or fine-tuning; about eleven hours for all
    "laptop": AblationConfig(
        EncoderConfig(d_model=96, n_layers=2, n_heads=3, d_ff=384),
        TrainConfig(n_steps=400, batch_size=16, learning_rate=1e-3, weight_decay=0.05, save_every=400),
        2.0,
        _recipe(200, 3.0, 16, learning_rate=2e-3),
        _recipe(300, 1.0, learning_rate=2e-3),
    ),
    "gpu": AblationConfig(
        preset("small"),
        TrainConfig(n_steps=10_000, batch_size=64, learning_rate=3e-4, weight_decay=0.05, bf16=True, save_every=1000),
        5.0,
        _recipe(800, 5.0),
        _recipe(1500, 1.0, 64),
        codings=32,
        n_synthetic=5000,
        n_seeds=5,
    ),
    "test": AblationConfig(
        preset("test"),
        TrainConfig(n_steps=2, batch_size=4, save_every=2),
        0.5,
        _recipe(2, 0.5, 4),
        _recipe(2, 0.5, 4),
        codings=2,
        n_synthetic=2,
        n_seeds=2,
    ),
}


def ablation_preset(name: str) -> AblationConfig:
    """Named ablation: "laptop", "gpu" or "test"; AudioformerError if unknown."""
    check_names([name], list(ABLATION_PRESETS), "the list of ablation presets")
    return ABLATION_PRESETS[name]


def finetune_config(spec: DataSpec, variant: Variant, seed: int) -> FinetuneConfig:
    """The fine-tuning of one cell. The held-out fold is looked at once, after the last step.

    Nothing is chosen on it.
    """
    train = replace(spec.finetune.train, seed=seed, validate_every=spec.finetune.train.n_steps, patience=0)
    return replace(
        spec.finetune, train=train, method=variant.method, alpha=variant.alpha, temperature=variant.temperature
    )
