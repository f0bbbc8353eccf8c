"""How the contrast of sound and picture plugs into the kit: see methods.py. Nothing else of the kit knows its name."""

from __future__ import annotations

from audioformer.methods import Method, Request


class AudioVisualMethod(Method):
    """What belongs together comes near each other, all else is pushed away (arXiv 2104.12807)."""

    name = "audiovisual"
    about = "brings sounds near the pictures that belong to them"
    presets = ("digits", "scenes", "sound", "waveform", "test")

    def config_class(self):
        """AudioVisualConfig."""
        from audioformer.audiovisual.config import AudioVisualConfig

        return AudioVisualConfig

    def build(self, config, heads: bool = True):
        """An AudioVisual."""
        from audioformer.audiovisual.model import AudioVisual

        return AudioVisual(config, heads)

    def task(self, request: Request):
        """PairContrast."""
        from audioformer.audiovisual.pretrain import requested_task

        return requested_task(request)


METHOD = AudioVisualMethod()
