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
# # 10 · What did the model learn, and how would you know?
#
# **You will**
# 1. measure where the heads look, and how widely, on paper first;
# 2. find a sound's neighbours, and count how often they are what you would call them;
# 3. draw a map of many sounds, and count what the map leaves out.
#
# **Time** about 43 minutes, of which the computer needs about one. **Needs** notebooks 05 and 09.

# %%
import audioformer as af
from audioformer import plots
from audioformer.data.datasets import open_dataset
from audioformer.data.synth import write_scenes
from audioformer.evaluation.features import open_encoder
from audioformer.explain.attention import attention_maps, mean_distance, mean_entropy, rollout, shrink
from audioformer.explain.codebook import entry_map
from audioformer.metrics import chance, retrieval_at_k
from audioformer.teaching import budget, check, hint, listen, predict, quiz, reveal, sample, show, slider, sounding
from audioformer.widgets import sound_map

import tempfile
from dataclasses import replace

import numpy as np
import torch

SEED = 7
torch.manual_seed(SEED)
print("seed", SEED)
work = tempfile.TemporaryDirectory()

# %% [markdown]
# ## 1 · Where does a head look?
#
# Attention can be read off: it is a table of shares. Four positions, one head:

# %%
head = torch.tensor([[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5], [0.25, 0.25, 0.25, 0.25]])
show(plots.attention.attention_map(head))

# %% [markdown]
# *Predict first: how far away does each of the four look, on average? (Position 3 gives a quarter each to places 3, 2,
# 1 and 0 steps away.)*

# %%
by_hand = [0.0, 0.5, 0.5, (3 + 2 + 1 + 0) / 4]
print("by position", by_hand, " mean", sum(by_hand) / 4)
print("library", mean_distance(head).item())

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Not at all; half a step; half a step; one and a half.
#
# </details>
#
# ### Exercise 1 · How far a head looks


# %% exercise="distance"
def my_distance(weights):
    """Attention (S, S), rows sum to 1 -> mean over all positions of how far each looks: |i - j|, weighted."""
    place = torch.arange(len(weights), dtype=weights.dtype)
    return (weights * (place[:, None] - place).abs()).sum(1).mean()


# %%
check("learnt.distance", my_distance)

# %% [markdown]
# How *widely* it looks is another question. The entropy of a row of shares $p_j$ is $-\sum_j p_j \log p_j$, and
# $e^{\text{entropy}}$ says over how many places it spreads.
#
# *Predict first: over how many places do the four spread?*

# %%
print([round(mean_entropy(row[None]).exp().item(), 2) for row in head])

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Over 1, 2, 2 and 4: as many as it looks at, where the shares are even.
#
# </details>
#
# ## 2 · The heads of a trained model
#
# The bundled classifier `esc10` listens to a dog. It joins four frames to one position before its first block, so its
# maps come in squares of four: what looks is a twentieth of a second.

# %%
classifier = af.load("esc10")
dog = af.load_audio(sample("dog"), 24_000, mono=True)
dog = replace(dog, samples=dog.samples[:, 24_000 : 3 * 24_000])  # two barks, then a quiet second
listen(dog, title="dog")

# %%
codes = classifier.codes(dog)[:, : classifier.window]
maps = attention_maps(classifier.classifier, codes)
print("(layers, heads, positions, positions)", tuple(maps.shape))

# %% [markdown]
# *Predict first: do the heads of one layer look equally far?*

# %%
frame_rate = classifier.codec.frame_rate
seconds = mean_distance(maps) / frame_rate
lines = {f"head {h + 1}": seconds[:, h].tolist() for h in range(maps.shape[1])}
show(plots.layers.by_layer(lines, "Mean distance (s)", x="Layer", first=1))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# No. A line is a head: at one layer the lines lie apart.
#
# </details>
#
# What would a model without training do? Then it is not learning that you see, but the shape of the thing.

# %%
torch.manual_seed(SEED)
fresh = af.Classifier(classifier.classifier.config, 10).eval()
untrained = mean_distance(attention_maps(fresh, codes)) / frame_rate
for name, one in {"trained": seconds, "untrained": untrained}.items():
    spread = one.std(1).mean()
    print(f"{name:10} {one.mean(1).numpy().round(2)} s by layer; heads of a layer differ by {spread:.2f} s")
assert seconds.std(1).mean() > 3 * untrained.std(1).mean(), "training has made the heads differ"

# %%
n_layers, n_heads = maps.shape[:2]
small = shrink(maps, 64)
small = small / small.sum(-1, keepdim=True)


# %%
def draw_head(number):
    """One head's map, on 64 stretches of the clip."""
    layer, one = divmod(number - 1, n_heads)
    show(plots.attention.attention_map(small[layer, one], step_s=dog.duration_s / len(small[layer, one])))
    print(f"layer {layer + 1}, head {one + 1}: looks {seconds[layer, one]:.2f} s far on average")


HEADS = range(1, n_layers * n_heads + 1)
slider("Which heads look close by, which at a few places only, wherever they stand?", HEADS, draw_head, 1)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# The heads of the trained model differ in how far they look, those of the untrained one hardly. Some have bright
# columns: places that everybody looks at.
#
# </details>
#
# Is there something to hear at the bright columns? Compare with the waveform: it has the
# same seconds below it.

# %%
show(plots.audio.waveform(dog.samples[0].numpy(), dog.sample_rate))

# %% [markdown]
# ## 3 · Through all layers
#
# Position 5 of layer 2 looks at position 3, which in layer 1 has looked at position 1: so output 5 holds something of
# input 1. **Rollout** follows such paths. In each layer a position keeps half of itself (a block *adds* to what is
# there, notebook 05) and takes the other half from where it looks; the tables of all layers are multiplied.
#
# *Predict first: one layer in which both of two positions look at position 0 only. What share of input 0 is in output
# 1?*

# %%
both_at_0 = torch.tensor([[1.0, 0.0], [1.0, 0.0]])  # one head
one_layer = both_at_0.expand(1, 1, 2, 2)  # (layers, heads, positions, positions)
print("one layer ", rollout(one_layer).tolist())
print("two layers", rollout(one_layer.expand(2, 1, 2, 2)).tolist())

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Half: output 1 keeps half of itself and takes the other half from input 0.
#
# </details>
#
# ### Exercise 2 · Rollout


# %% exercise="rollout"
def my_rollout(maps):
    """Attention (L, H, S, S) -> (S, S), share of each input in each output: mean of heads, half of each kept."""
    same = torch.eye(maps.shape[-1])
    total = same
    for layer in maps.mean(1):
        total = (0.5 * layer + 0.5 * same) @ total
    return total


# %%
check("learnt.rollout", my_rollout)

# %%
reach = rollout(maps).mean(0)[1:-1]
times = torch.arange(len(reach)) / frame_rate
most = reach.argmax().item()
print(f"most looked at, mean over outputs: {times[most]:.2f} s, {reach[most] * len(reach):.1f} times an even share")
begin = max(0, int((times[most] - 0.25) * 24_000))
listen(dog.samples[:, begin : begin + 12_000], 24_000, "half a second around it")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# A bark, or the edge of one: what is fetched most is where something happens. That fits the story, and it is still
# only a picture.
#
# </details>
#
# **Doubt.** A weight says how much of a place is *fetched*, not what it is good for. A head can look at silence because
# it has nothing to do. Papers have shown both: attention that can be shuffled without changing the answer (Jain and
# Wallace, 2019), and attention that cannot (Wiegreffe and Pinter, 2019). Notebook 11 changes the *sound* and watches
# the *answer*; that is a test, this is a picture.

# %% [markdown]
# ## 4 · Neighbours
#
# A model can also be asked what it finds alike. Ten classes, computed on the spot, every clip different:

# %%
CLASSES = ["dog", "rooster", "rain", "sea_waves", "crying_baby"]
CLASSES += ["clock_tick", "siren", "bell", "footsteps", "frog"]
N_CLIPS = budget(60, 30)  # the second number is for the kit's own tests
write_scenes(f"{work.name}/sounds", N_CLIPS, seed=SEED, duration_s=2.0, kind="clips", classes=CLASSES)
sounds = open_dataset("esc50", f"{work.name}/sounds")
truth = np.array([sounds.label_indices(clip)[0] for clip in sounds])
clips = [af.load_audio(clip.path, 24_000, mono=True).samples for clip in sounds]

# %% [markdown]
# Four ways to make one vector of a clip, from the simplest to the most learnt: the mean of a log-mel picture (nothing
# learnt), the mean of the codec's latents (the vectors that are rounded to codes), the pre-trained transformer, and a
# classifier: `esc10`, which has learnt the names of ten kinds of sound.


# %%
def vectors(name):
    """One vector a clip: the mean over its frames."""
    encoder = open_encoder(name)
    return np.stack([encoder(clip)[0].mean(0).numpy() for clip in clips])


found = {name: vectors(name) for name in ("log-mel", "codec:compact", "pretrained", "esc10")}
print({name: one.shape for name, one in found.items()})

# %% [markdown]
# *Predict first: `pretrained` has never been told a label. A clip's nearest neighbour (by cosine): how often is it of
# the same class? Chance is about one in ten. And with the log-mel picture, which has learnt nothing at all?*

# %% exercise="prediction"
neighbour = 0.5
# %%
predict("10.neighbour", neighbour)

# %% [markdown]
# ### Exercise 3 · How often is the nearest of the same class?


# %% exercise="neighbours"
def my_neighbours(vectors, labels):
    """Vectors (n, D), labels (n,) -> share of clips whose nearest other clip by cosine has their label."""
    unit = torch.nn.functional.normalize(vectors, dim=1)
    alike = unit @ unit.T
    alike.fill_diagonal_(-2)
    return (labels[alike.argmax(1)] == labels).double().mean()


# %%
check("learnt.neighbours", my_neighbours)

# %%
purity = {name: retrieval_at_k(one, truth, k=1) for name, one in found.items()}
reveal("10.neighbour", purity["pretrained"])
order = sorted(purity, key=purity.get, reverse=True)
blind = chance("accuracy", truth)
SAME = "Nearest is of the same class"
show(plots.predictions.top_labels(order, [purity[n] for n in order], chance=blind, what=SAME, of=""))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# More often than by chance, without a label. How much of that is spectrum alone, the bar of log-mel says.
#
# </details>
#
# If `log-mel` is close to the top, the classes can be told by their spectrum, and nothing deep was needed. And `esc10`
# has an unfair lead: it has learnt the names of some of these ten. Without those classes:

# %%
known = [i for i, name in enumerate(sounds.label_names) if name in af.load("esc10").label_names]
foreign = ~np.isin(truth, known)
print("esc10 knows by name:", [sounds.label_names[i] for i in known])
print("on the others:", {n: round(retrieval_at_k(one[foreign], truth[foreign], k=1), 2) for n, one in found.items()})

# %% [markdown]
# Hear what the models find alike:

# %%
query = int(np.flatnonzero(truth == sounds.label_index("crying_baby"))[0])
listen(sounding(clips[query], 24_000), 24_000, "asked for: crying baby")
for name in ("log-mel", "pretrained", "esc10"):
    unit = found[name] / np.linalg.norm(found[name], axis=1, keepdims=True)
    nearest = int(np.argsort(-(unit @ unit[query]))[1])
    listen(sounding(clips[nearest], 24_000), 24_000, f"nearest by {name}: {sounds[nearest].labels[0]}")

# %% [markdown]
# *Predict first: from layer to layer of the pre-trained model, do neighbours get better?*

# %%
deepest = open_encoder("pretrained").model.config.n_layers
layers = [f"pretrained:layer={layer}" for layer in range(deepest + 1)]
by_depth = [retrieval_at_k(vectors(name), truth, k=1) for name in layers]
lines = {"pretrained": by_depth, "chance": [blind] * len(by_depth)}
show(plots.layers.by_layer(lines, f"{SAME} (share)"))

# %% [markdown]
# Often the best layer is not the last: the last ones are busy with guessing codes. Is that so here, and is the
# difference larger than luck? (What is one clip more or less worth here?)
#
# <details><summary>What we saw</summary>
#
# One clip of sixty is worth less than two points, and a share near a half is uncertain by a dozen. Look at how far the
# layers lie apart before you name a best one.
#
# </details>
#
# ## 5 · A map
#
# Vectors have many numbers, a screen has two. **Principal components** are the plane in which the vectors spread most.


# %%
def draw_map(name):
    """All clips in the plane in which one model's vectors spread most."""
    flat = entry_map(found[name])
    show(plots.plane.points(flat.points, [clip.labels[0] for clip in sounds]))
    seen = sum(flat.shares)
    print(f"{name}: the plane shows {seen:.0%} of the spread, {1 - seen:.0%} is out of sight")


slider("In which of these can you tell the most classes apart by eye?", list(found), draw_map, "pretrained")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# The plane shows most of the spread of a log-mel picture and less of the trained vectors: the more a model spreads its
# clips over many directions, the less two of them show. That a map looks tidy says little.
#
# </details>
#
# The same maps to be heard: step from the spectrum to the trained model, click a mark, draw a loop around some. Do the
# sounds in the loop have something in common that is not their class?

# %%
maps = {name: entry_map(one).points for name, one in found.items()}
sound_map(maps, [clip.labels[0] for clip in sounds], clips, 24_000)

# %% [markdown]
# *Predict first: of the five nearest neighbours on the map, how many are among the five nearest in truth?*


# %%
def five_nearest(points):
    """(n, 5) numbers of the nearest others, by distance."""
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    return np.argsort(apart, axis=1)[:, :5]


# %%
for name, one in found.items():
    real, drawn = five_nearest(one), five_nearest(entry_map(one).points)
    kept = np.mean([len(set(a) & set(b)) / 5 for a, b in zip(real, drawn, strict=True)])
    print(f"{name:14} {kept:.0%} of the true neighbours are neighbours on the map")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# The shares are printed. By luck it would be five of all the others; and two numbers cannot keep what hundreds say.
#
# </details>
#
# A map is a summary with losses. Curved ones (UMAP, t-SNE) keep more neighbours and give up everything else: sizes of
# islands and the distances between them then mean nothing, and they find islands even in noise.
#
# **Doubt.** All our clips of one class come from one program: neighbours may share its habits, such as the level or a
# filter. With real recordings the same happens with microphones. A neighbour *from another recording* is worth more;
# `retrieval_at_k(..., groups=...)` counts only those.

# %%
work.cleanup()

# %% [markdown]
# ## Quiz
#
# **Q1.** A head gives half its weight to one frame. That shows
#
# - (a) the frame decides the label
# - (b) that the model knows where the sound begins
# - (c) that the frame is fetched there
# - (d) that all other frames are silent

# %% exercise="quiz"
answer_1 = "c"
# %%
quiz("learnt.weight", answer_1)

# %% [markdown]
# **Q2.** On a UMAP, two islands are far apart. That shows
#
# - (a) that they are very different
# - (b) nothing about how different they are
# - (c) that the map was computed wrongly
# - (d) that the model has separated two classes

# %% exercise="quiz"
answer_2 = "b"
# %%
quiz("learnt.islands", answer_2)

# %% [markdown]
# **Q3.** A new model's nearest neighbours are right in 70 of 100 cases, log-mel means in 68. The model
#
# - (a) is worse than log-mel
# - (b) has learnt what classes are
# - (c) has yet to show that it adds anything here
# - (d) is useless

# %% exercise="quiz"
answer_3 = "c"
# %%
quiz("learnt.rival", answer_3)

# %% [markdown]
# ## Recap
#
# - Heads differ in how far and how widely they look; rollout follows them through the layers. Pictures, not reasons.
# - Neighbours can be heard and counted; count them against chance *and* against something that has learnt nothing.
# - A map leaves most out. Say how much.
#
# **To read.** Attention flow and rollout (arXiv 2005.00928); Attention is not Explanation (arXiv 1902.10186), and the
# answer (arXiv 1908.04626). Open: when may one trust a map?
#
# Next, [11](11_why_this_label.ipynb): from pictures to tests.
