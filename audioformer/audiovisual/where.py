"""Where a sound is in a picture: which pixels make it fit?

The similarity of a place to a sound (`AudioVisual.sound_map`) is about all that the place's vector sees, fifteen
pixels, so its peak may stand beside the thing. What a pixel does for the fit says it exactly: the gradient of the
similarity with respect to its colour, times how far that colour is from the ground (gradient x input, Shrikumar et al.
2016, arXiv 1605.01713). Pixels of the bare
ground do nothing, nor do moments far from all that is heard.

Shapes: B clips, M bands, T frames of sound, F frames of the picture, C colours, S pixels a side.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from audioformer.audiovisual.contrast import SOFTNESS
from audioformer.audiovisual.model import AudioVisual

SMOOTH = 5  # pixels a side of the square over which the map is averaged


def where_from(model: AudioVisual, bands: Tensor, pictures: Tensor) -> Tensor:
    """How much each pixel makes its picture fit its sound, from 0.

    Args:
        model: of scenes, in evaluation mode; its weights get no gradient.
        bands: (B, M, T) of three seconds.
        pictures: (B, F, C, S, S) from 0 to 1.

    Returns:
        (B, F, S, S) float32, averaged over 5 x 5 pixels.
    """
    with torch.enable_grad():
        pictures = pictures.detach().clone().requires_grad_()
        with torch.no_grad():
            sounds, weights = model.sound_vectors(bands), model.moments(bands)
        cosines = (sounds * model.picture_vectors(pictures)).sum(-1)  # (B, F, P)
        fit = (SOFTNESS * (cosines / SOFTNESS).logsumexp(2) * weights).sum()
        (gradient,) = torch.autograd.grad(fit, pictures)
    seen = pictures.detach()
    ground = seen.flatten(3).median(3).values[..., None, None]
    part = (gradient * (seen - ground)).sum(2).clamp_min(0)
    return F.avg_pool2d(part, SMOOTH, 1, SMOOTH // 2)
