"""How EnCodecMAE plugs into the kit: see methods.py. Nothing else of the kit knows its name."""

from __future__ import annotations

from audioformer.methods import Method, Request


class EncodecMAEMethod(Method):
    """Half of the frames is hidden, the codes of all frames are guessed (arXiv 2309.07391)."""

    name = "encodecmae"
    about = "hides frames of the codec's latents or of mel bands and guesses their codes"
    presets = ("tiny", "small", "base", "large", "second-stage", "test")

    def config_class(self):
        """EncodecMAEConfig."""
        from audioformer.encodecmae.config import EncodecMAEConfig

        return EncodecMAEConfig

    def build(self, config, heads: bool = True):
        """An EncodecMAE."""
        from audioformer.encodecmae.model import EncodecMAE

        return EncodecMAE(config, heads)

    def task(self, request: Request):
        """FrameModelling."""
        from audioformer.encodecmae.pretrain import requested_task

        return requested_task(request)

    def options(self, add) -> None:
        """Add --targets and --teacher."""
        add(
            "--targets",
            choices=("codes", "kmeans", "both"),
            help="guess codes (default), or clusters of the activations of a finished model (--from or --teacher)",
        )
        add("--teacher", metavar="DIR", help="cluster this model's activations instead of those of --from")

    def convert(self, path: str, folder: str, codec, n_heads: int) -> dict:
        """The authors' model.pt, either version, to a checkpoint folder."""
        from audioformer.encodecmae.convert import import_encodecmae

        return import_encodecmae(path, folder, codec, n_heads)


METHOD = EncodecMAEMethod()
