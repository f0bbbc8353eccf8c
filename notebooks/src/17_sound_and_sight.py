# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 17 · Can a machine learn to listen by watching?
#
# **You will**
# 1. write the contrast of sound and picture, and mix two examples into a harder one;
# 2. train two small towers on a language of ten tones, and see shuffled pairs end at chance;
# 3. find the thing that sounds in a scene, with a map that nobody drew for the model.
#
# **Time** about 38 minutes, of which the computer needs about two. **Needs** notebook 07; nothing from the network.

# %%
import audioformer as af
from audioformer import plots
from audioformer.audiovisual.config import AudioVisualConfig
from audioformer.audiovisual.contrast import info_nce, mix_pictures, mix_sounds
from audioformer.audiovisual.digits import digit_pictures, for_tower
from audioformer.audiovisual.measure import judge_map
from audioformer.audiovisual.model import AudioVisual
from audioformer.audiovisual.show import RATE, bands_of, maps_of, open_scenes, show_scene
from audioformer.teaching import budget, check, listen, quiz, sample, show, slider

import math

import numpy as np
import torch
from torch.nn import functional as F
from torch.testing import assert_close

SEED = 17
torch.manual_seed(SEED)
print("seed", SEED)

# %% [markdown]
# ## 1 · Notebook 07's matrix, with another modality
#
# There, rows of codes of the same clip belonged together. Here a **sound** and a **picture** do. A line for each
# sound, a column for each picture, the right ones on the diagonal. Four sounds, four pictures, vectors of two numbers:

# %%
angles = torch.deg2rad(torch.tensor([[0.0, 20.0], [90.0, 100.0], [180.0, 150.0], [270.0, 300.0]]))
sounds, pictures = torch.stack([angles.cos(), angles.sin()], -1).unbind(1)
scores = sounds @ pictures.T
show(plots.sight.pairs(scores, ["A", "B", "C", "D"], ["a", "b", "c", "d"]))

# %% [markdown]
# *Predict first: for which sound is the choice of the picture hardest?*
#
# The loss asks both ways: along a line "which picture goes with this sound?", down a column "which sound goes with this
# picture?" Each time it is minus the logarithm of the right one's share in the softmax; then the mean of all.
#
# ### Exercise 1 · The contrast


# %% exercise="contrast"
def my_contrast(scores, temperature):
    """(B, B) similarities, right pairs on the diagonal -> the loss, a number."""
    logits = scores / temperature
    along, down = logits.log_softmax(1).diagonal(), logits.log_softmax(0).diagonal()
    return -(along.mean() + down.mean()) / 2


# %%
check("sight.contrast", my_contrast)

# %%
for name, one in (("these four", scores), ("all alike", torch.zeros(4, 4))):
    loss, right = info_nce(one, temperature=0.1)
    print(f"{name}: loss {loss.item():.3f}, chance {math.log(4):.3f}")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# For A: its own picture is 20 degrees off, and d, which is wrong, only 60. With the others the wrong ones are further
# behind.
#
# </details>
#
# ## 2 · Ten words that are tones
#
# A made-up language: the word for the digit $d$ is a tone, the higher the larger $d$. And 8 x 8 pixels of handwriting,
# by people. Only who belongs to whom is told.


# %%
def word(digit, rng):
    """A quarter of a second: the tone of a digit, a little off, in noise."""
    times = np.arange(RATE // 4) / RATE
    hertz = 250 * 2 ** (digit / 3) * rng.uniform(0.97, 1.03)
    return (0.3 * np.sin(2 * np.pi * hertz * times) + rng.normal(0, 0.02, times.size)).astype(np.float32)


rng = np.random.default_rng(SEED)
for digit in (2, 7):
    listen(word(digit, rng), RATE, title=f"the word for {digit}")

# %%
written, digits = digit_pictures("train")
held_out, held_digits = digit_pictures("test")
bank = [[bands_of(word(digit, rng))[:, :19] for _ in range(12)] for digit in range(10)]
print(len(written), "pictures by nine people to learn from,", len(held_out), "by three others to be tested with")

# %%
show(plots.layers.parameters({str(d): int((digits == d).sum()) for d in range(10)}, what="pictures", of="digit"))


# %%
def draw_batch(size, shuffled=False):
    """A word and a picture for each of `size` digits; shuffled: of any digit."""
    chosen = rng.integers(0, 10, size)
    shown = rng.permutation(chosen) if shuffled else chosen
    sound = torch.stack([bank[d][rng.integers(12)] for d in chosen])
    picture = for_tower(np.stack([written[rng.choice(np.flatnonzero(digits == d))] for d in shown]))
    return sound, torch.from_numpy(picture)


def train(steps, shuffled=False):
    """Two fresh towers and their losses."""
    torch.manual_seed(SEED)
    model = AudioVisual(AudioVisualConfig(channels=2, d_model=32, n_layers=1, shared_width=16))
    optimizer, losses = torch.optim.Adam(model.parameters(), lr=1e-2), []
    for _ in range(steps):
        sound, picture = draw_batch(32, shuffled)
        scores = model.sound_vectors(sound)[:, 0, 0] @ model.picture_vectors(picture)[:, 0, 0].T
        loss, _ = info_nce(scores)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model.eval(), losses


# %% [markdown]
# *Predict first: 32 pairs, ten digits. Can the loss reach zero?*

# %%
learned, losses = train(budget(150, 30))
lost, shuffled_losses = train(budget(150, 30), shuffled=True)

# %%
levels = {"chance": math.log(32), "ten digits known": math.log(32 / 10)}
show(plots.training.losses({"pairs": losses, "shuffled": shuffled_losses}, levels))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# No. It comes down towards the line of *ten digits known*, where the shuffled pairs never get to.
#
# </details>
#
# It cannot: with ten digits, about three of the 32 pictures show the same digit, and the loss calls two of them wrong.
# They are **false negatives**. And shuffled pairs stay at chance: there is nothing to be learnt from them. Now words
# never heard, with pictures by people never seen:


# %%
def matrix(model):
    """(10, 10) mean similarity of each word with the pictures of each digit."""
    with torch.no_grad():
        heard = model.sound_vectors(torch.stack([bands_of(word(d, rng))[:, :19] for d in range(10)]))[:, 0, 0]
        seen = model.picture_vectors(torch.from_numpy(for_tower(held_out)))[:, 0, 0]
    return np.stack([(heard @ seen[held_digits == d].T).mean(1).numpy() for d in range(10)], 1)


names = [str(d) for d in range(10)]
show(plots.sight.pairs(matrix(learned), names, names))
for name, model in (("pairs", learned), ("shuffled", lost)):
    right = int((matrix(model).argmax(1) == np.arange(10)).sum())
    print(f"{name}: {right} of ten words find their digit; chance 1")

# %% [markdown]
# ## 3 · Harder examples from two
#
# The authors mix: two sounds and two pictures with the **same** weight. The model must then hear two words at once.
# Pictures are laid over each other. Sounds add their energies; bands are logarithms of energies.
#
# ### Exercise 2 · Mix log-mel bands


# %% exercise="mix"
def my_mix(bands, weights):
    """(B, M, T) logarithms of energies, (B,) own part -> the mixture of each clip with the next one (roll)."""
    own = weights[:, None, None]
    return (own * bands.exp() + (1 - own) * bands.roll(-1, 0).exp()).log()


# %%
check("sight.mix", my_mix)

# %%
sound, picture = draw_batch(4)
for weight in (1.0, 0.7, 0.5):
    weights = torch.full((4,), weight)
    both = mix_sounds(sound, weights), mix_pictures(picture, weights)
    print("own part", weight, " loudest band", int(both[0][0].mean(1).argmax()), " ink", round(both[1][0].sum().item()))

# %% [markdown]
# ## 4 · Where is the sound?
#
# So far one vector stood for a picture. Now each **place** keeps its own, and so does each moment of the sound. A sound
# fits a scene as well as its best place does, on average over the moments.
#
# ### Exercise 3 · The best place


# %% exercise="best_place"
def my_best_place(sound, places):
    """(F, E) a vector a moment, (F, P, E) a vector for each place of each frame -> one number."""
    cosines = (F.normalize(places, dim=-1) @ F.normalize(sound, dim=-1)[:, :, None])[..., 0]
    return cosines.amax(1).mean()


# %%
check("sight.best_place", my_best_place)

# %% [markdown]
# A model trained so on drawn scenes comes with the kit. In a scene every thing moves to a sound of its own; one of
# them is heard. Nobody told the model which.

# %%
towers = open_scenes()
scene = show_scene(towers, 4)
for number, thing in enumerate(scene.scene.things):
    print(number, thing.colour, thing.kind)
listen(scene.sounds[0], RATE, title=scene.scene.things[0].kind)
show(plots.sight.film(scene.frames, scene.maps[0], every=3))

# %% [markdown]
# Below each frame, bright: the pixels that make the picture fit the sound (gradient times input, as in notebook 11).
# *Predict first: what happens to the map when another thing's sound is played to the same picture?*

# %%
listen(scene.sounds[1], RATE, title=scene.scene.things[1].kind)
show(plots.sight.film(scene.frames, scene.maps[1], every=3))


# %% [markdown]
# <details><summary>What we saw</summary>
#
# It goes to another place, though the picture is the same: what has changed is the sound alone.
#
# </details>


# %%
def draw_scene(seed):
    """A scene, and what each of its sounds points at."""
    one = show_scene(towers, seed)
    show(plots.sight.film(one.frames, one.maps[0], every=3))
    for number, thing in enumerate(one.scene.things):
        pointed = one.pointed(number)
        where = "no thing" if pointed is None else one.scene.things[pointed].kind
        print(f"{thing.colour} {thing.kind} points at {where}: {'right' if pointed == number else 'wrong'}")


slider("In which scene does a sound point at the wrong thing?", range(8), draw_scene, 0)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# In some it does, most easily where two things are of one kind: then only *when* they move tells them apart.
#
# </details>
#
# One scene proves nothing. Many, beside two rivals that have learnt nothing: where most **moves**, and where motion
# goes with **loudness**. And chance: a random pixel, a random thing.

# %%
judged = []
for seed in range(100, 100 + budget(40, 6)):
    one = show_scene(towers, seed)
    judged.append(judge_map(one.maps[0], one.scene, one.frames))
for name in ("pointing", "motion", "motion_with_sound", "area", "one_of"):
    print(f"{name:18} {np.mean([one[name] for one in judged]):.2f}")
same = [one for one in judged if one["same_kind"]]
print(
    len(same),
    "of",
    len(judged),
    "scenes have a silent thing of the same kind; there",
    sum(one["pointing"] for one in same),
    "right",
)

# %% [markdown]
# Where two things of one kind move, the kind does not help. What is left of the lead there is what the model knows of
# **time**. The page `results/sight.md` has this measured on hundreds of scenes.
#
# Last: a sound from outside, which was never in this scene. It must point somewhere.

# %%
stranger = af.load_audio(sample("rain"), RATE, mono=True)
listen(stranger)
maps = maps_of(towers, [bands_of(stranger.samples[0].numpy())], scene.frames)
show(plots.sight.film(scene.frames, maps[0], every=3))
print("largest cosine", round(float(maps.max()), 2), " of the scene's own sound", round(float(scene.maps[0].max()), 2))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# It points at something, as a classifier names something. A small cosine is the only hint that nothing fits.
#
# </details>
#
# ## Quiz
#
# **Q1.** A batch of 32 scenes, fresh towers. The loss begins near
#
# - (a) zero
# - (b) one
# - (c) log 32
# - (d) the logarithm of the number of places

# %% exercise="quiz"
answer_1 = "c"
# %%
quiz("sight.chance", answer_1)

# %% [markdown]
# **Q2.** The map always points at the mouth when a dog barks. Does it know *when* the mouth opens?
#
# - (a) yes
# - (b) one cannot tell from this
# - (c) no
# - (d) only if the map changes over time

# %% exercise="quiz"
answer_2 = "b"
# %%
quiz("sight.shortcut", answer_2)

# %% [markdown]
# **Q3.** Ten digits, pairs drawn by digit. The loss cannot reach zero since
#
# - (a) pictures of the same digit count as wrong
# - (b) the towers are too small
# - (c) the temperature is too high
# - (d) there is noise in the sounds

# %% exercise="quiz"
answer_3 = "a"
# %%
quiz("sight.false_negatives", answer_3)

# %% [markdown]
# ## Recap
#
# - Two towers, one space: right pairs on the diagonal, everything else is wrong, both ways.
# - Which pair belongs together is all that is told. Shuffled, nothing is learnt.
# - Keep a vector for each place, and the same contrast learns where a sound is.
# - Doubt: the kind alone explains most of it. Ask with two of a kind.
#
# **To read.** Wang et al. (arXiv 2104.12807): this method, at full size. Objects that sound (arXiv 1712.06651): a
# vector for each place. Open: how would a model learn *when* from pictures of real things?
#
# Back to [the index](index.ipynb), or play with it in the app's room *Sight*: `audioformer app`.
