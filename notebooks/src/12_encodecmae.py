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
# # 12 · What if sound goes in, and codes only come out?
#
# **You will**
# 1. take half of a clip's frames away, and put something back in their place;
# 2. train EnCodecMAE, AudioFormer's neighbour, for some seconds, and hear what it guesses;
# 3. lay the two side by side, and find out what makes one of them look better than it is.
#
# **Time** about 39 minutes, of which the computer needs about one. **Needs** notebooks 06 and 08.

# %%
import audioformer as af
from audioformer import plots
from audioformer.checkpoint import bundled_names
from audioformer.data.corpus import Corpus, prepare
from audioformer.data.datasets import open_dataset
from audioformer.data.frame_batch import gap_mask
from audioformer.data.frames import sound_frames
from audioformer.encodecmae.config import ROW_WEIGHTS, mae_preset
from audioformer.encodecmae.guess import guess_clip, guess_sounds
from audioformer.encodecmae.masking import pack_visible, unpack_visible
from audioformer.encodecmae.pretrain import FrameModelling, MAERecipe, mae_recipe
from audioformer.explain.fill import fill
from audioformer.files import samples_folder
from audioformer.teaching import (
    budget,
    button,
    check,
    hint,
    listen,
    predict,
    quiz,
    reveal,
    show,
    slider,
    trimmed,
    watch,
)
from audioformer.train import train

import math
import tempfile
from dataclasses import replace

import torch
from torch.testing import assert_close

SEED = 7
print("seed", SEED)
work = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)  # Windows deletes no file that is still open

# %% [markdown]
# ## 1 · The same parts, the other way round
#
# | | reads | guesses | hidden positions |
# |---|---|---|---|
# | AudioFormer | codes | the same codes | shown as MASK |
# | EnCodecMAE | frames of numbers | codes | not shown at all |
#
# Between the codec's encoder and its codebooks there are vectors, the **latents** (notebook 01). Rounding them to codes
# loses something; EnCodecMAE reads them before that. A vector of latents, 75 times a second, is a **frame**.

# %%
codec = af.load_codec("compact")
waveform = trimmed("siren").samples[:, : 3 * 24_000]
latents = sound_frames("latents", codec, waveform, 24_000)[0]
codes = codec.encode(waveform, 24_000)[0]
print("latents", tuple(latents.shape), " codes", tuple(codes.shape))
listen(waveform, 24_000, "three seconds")

# %% [markdown]
# *Predict first: per frame, how many bits are in the latents (32 for each number), and how many in the codes?*

# %%
bits_a_code = round(math.log2(codec.codebook_size))
print(32 * latents.shape[0], "bits a frame in the latents,", bits_a_code * codes.shape[0], "in the codes")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# The codes take 80 bits, about a twentieth of what the latents take.
#
# </details>
#
# ## 2 · Half of it, taken away
#
# The authors hide half of the frames, in gaps of 15. *Predict first: how long is such a gap, in seconds?*

# %%
n_frames = latents.shape[1]
hidden = gap_mask(torch.tensor([n_frames]), generator=torch.Generator().manual_seed(SEED))[0]
show(plots.frames.hidden_frames(latents, hidden, codec.frame_rate, what="Number in the latent"))
print(f"{hidden.sum()} of {n_frames} frames hidden, in gaps of {15 / codec.frame_rate:.1f} s (some meet)")


# %% [markdown]
# <details><summary>What we saw</summary>
#
# Fifteen of 75 frames a second: a fifth of a second.
#
# </details>


# %%
def draw_gap(gap):
    """Half of the frames hidden, in gaps of so many."""
    covered = gap_mask(torch.tensor([n_frames]), 0.5, gap, torch.Generator().manual_seed(SEED))[0]
    show(plots.frames.hidden_frames(latents, covered, codec.frame_rate, what="Number in the latent"))
    print(f"{covered.sum()} of {n_frames} frames; gaps of {gap} are {1000 * gap / codec.frame_rate:.0f} ms")


slider("From which gap on could you no longer say what was there?", [1, 5, 15, 45], draw_gap, 15)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Gaps of one frame are filled by looking at both sides; gaps of 45 frames, more than half a second, swallow a large
# part of what happens. The share that is hidden stays a half.
#
# </details>
#
# The encoder never sees a hidden frame. What is visible moves together; five frames of two numbers, frames 1 and 2
# hidden:

# %%
frames = torch.tensor([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [4.0, 4.0], [5.0, 5.0]])
visible = torch.tensor([True, False, False, True, True])
packed, _ = pack_visible(frames[None], visible[None])
assert_close(packed[0], frames[visible])
print(packed[0].tolist())

# %% [markdown]
# How does the encoder know that something is missing? The positions are added *before* the frames are taken away: frame
# 3 still says "I am frame 3". Behind the encoder the gaps are opened again, with zeros in them, and a small decoder
# guesses.
#
# ### Exercise 1 · Back to their places


# %% exercise="unpack"
def my_unpack(packed, visible):
    """Packed vectors (S, D), visible (T,) bool with S True -> (T, D), zeros where nothing was visible."""
    found = torch.zeros(len(visible), packed.shape[1])
    found[visible] = packed
    return found


# %%
check("autoencoder.unpack", my_unpack)

# %%
assert_close(unpack_visible(packed, visible[None])[0][visible], frames[visible])

# %% [markdown]
# *Predict first: attention compares every position with every other. What share of the comparisons is left when half of
# the positions are?*

# %%
n_visible = int((~hidden).sum())
print(f"{n_frames**2:,} pairs with all frames, {n_visible**2:,} with the visible ones alone")
print(f"that is {n_visible**2 / n_frames**2:.0%}")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# A quarter: half of the lines and half of the columns of the table.
#
# </details>
#
# ## 3 · The loss
#
# Every frame is guessed, hidden or not. The loss is nine tenths of the mean over hidden frames and one tenth of that
# over visible ones. (Why bother with visible ones? The codes are not in the input, only the latents: rounding is a task
# too, if an easy one.)
#
# *Predict first: hidden frames surprise by 5 nats on average, visible ones by 1. The loss?*

# %%
print(0.9 * 5 + 0.1 * 1)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# 4.6: nine tenths of 5 and one tenth of 1.
#
# </details>
#
# ### Exercise 2 · Hidden and visible


# %% exercise="loss"
def my_loss(surprise, hidden, masked_share):
    """Surprise of each frame (T,), hidden (T,) bool, weight of the hidden ones' mean -> the loss, nats."""
    return masked_share * surprise[hidden].mean() + (1 - masked_share) * surprise[~hidden].mean()


# %%
check("autoencoder.loss", my_loss)

# %% [markdown]
# Eight rows are guessed, and the coarse ones count more. These are the authors' weights:

# %%
print([round(weight, 3) for weight in ROW_WEIGHTS], " sum", round(sum(ROW_WEIGHTS), 4))

# %% [markdown]
# ### Exercise 3 · Chance
# What is the loss of a model that finds all codes equally likely, in every row? Does the number of rows matter?


# %% exercise="chance"
def my_chance(row_weights, codebook_size):
    """Weight of each row, codes in each -> loss of knowing nothing, nats."""
    return sum(weight * math.log(codebook_size) for weight in row_weights)


# %%
check("autoencoder.chance", my_chance)

# %% [markdown]
# ## 4 · Train a small one
#
# The 40 bundled samples, with their latents beside the codes.

# %%
sounds = open_dataset("esc50", samples_folder())
*_, record = prepare(sounds, codec, f"{work.name}/corpus", clip_s=budget(4, 1), frames="latents")
corpus = Corpus.open(f"{work.name}/corpus")
learn, held_out = corpus.select(folds=[1, 2, 3, 4]), corpus.select(folds=[5])
print(record.done, "clips; frames of", corpus[0].frames.shape[0], "numbers,", len(learn), "to learn from")

# %%
N_STEPS = budget(150, 8)  # the second number is for the kit's own tests
shape = mae_preset("test", frame_width=len(latents), d_model=64, n_heads=4, d_ff=256, n_codebooks=4)
steps = {"n_steps": N_STEPS, "validate_every": N_STEPS}  # measured once, at the end
schedule = af.TrainConfig(**steps, batch_size=8, learning_rate=2e-3, seed=SEED)
recipe = MAERecipe(shape, schedule, crop_s=1.5, min_crop_s=1.0)
task = FrameModelling(recipe, learn, corpus.codec, held_out=held_out)

# %% [markdown]
# *Predict first: which curve will be lower, and by how much: hidden frames or visible ones?*

# %%
done = watch(train(task, recipe.train), ["masked", "visible"], {"chance": task.chance["masked"]})
print({name: round(done[-1].losses[name], 2) for name in ("masked", "visible")}, "nats")
print("after", len(done), "steps,", round(done[-1].seconds), "s")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Usually the visible ones: they are there to be read, and only have to be rounded. How far the two part is printed.
#
# </details>
#
# *Predict first: and on fold 5, sounds that it was not trained on? Which share of the hidden codes does it guess
# right?*

# %% exercise="prediction"
right = 0.05
# %%
predict("12.right", right)

# %%
measured = done[-1].validation
told = {name: round(measured[name], 2) for name in ("masked", "visible")}
print("held out:", told, "nats; chance", round(task.chance["masked"], 2))
print(f"hidden codes guessed: {measured['accuracy']:.1%}")
reveal("12.right", measured["accuracy"])

# %% [markdown]
# <details><summary>What we saw</summary>
#
# On sounds it was not trained on, such a model may well be *worse* than chance: it is sure of codes that belong to
# other clips. A few clips and some seconds show the machinery, no more.
#
# </details>

# %% [markdown]
# A larger one, of the size and recipe of the bundled `encodecmae-tiny`, takes half an hour or more. A button for those
# who have it; the stop button (■) of the notebook ends it, and pressing again goes on, after a
# restart too: the run is in the folder `my run of 12` beside this notebook.


# %%
def pretrain_for_real():
    """Size and recipe of the bundled model, on the clips of this notebook; goes on where it was stopped."""
    larger = FrameModelling(bundled, learn, corpus.codec, held_out=held_out)
    watch(train(larger, bundled.train, "my run of 12"), ["masked", "visible"], {"chance": larger.chance["masked"]})


bundled = mae_recipe("tiny")
bundled = replace(bundled, model=bundled.model.with_changes(frame_width=len(latents)))
button(f"Run it for real ({bundled.train.n_steps} steps)", pretrain_for_real)

# %% [markdown]
# ## 5 · See and hear its guesses
#
# With the kit may come one that was trained longer, `encodecmae-tiny`. If this installation has it, it guesses now;
# else the one just trained does.

# %%
shipped = "encodecmae-tiny" in bundled_names()
model = af.load_pretrained("encodecmae-tiny")[0] if shipped else task.model.eval()
print("the bundled encodecmae-tiny" if shipped else "the one just trained")
read = model.read(codec, waveform, 24_000)[0]
n_rows = model.config.n_codebooks

# %% [markdown]
# *Predict first: which rows will it guess best, and how often is it right by chance?*

# %%
guessed = guess_clip(model, read, codes, hidden)
show(plots.frames.guesses(guessed.codes, guessed.guessed, guessed.confidence, hidden, codec.frame_rate))
print("hidden codes guessed, by row:", [f"{share:.1%}" for share in guessed.accuracy().tolist()])
print(f"chance {1 / codec.codebook_size:.1%}")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Chance is one in 1024. Nothing right in a row? The model is small, a fifth of a second is missing at a time, and
# surprise falls long before the best guess is right.
#
# </details>
#
# *Predict first: with gaps of a fifth of a second filled by guesses, will you still know what it is?*

# %%
sounded = guess_sounds(guessed, codec)
for name in ("original", "with gaps", "guessed"):
    listen(sounded[name], codec.sample_rate, name)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Probably: half of the sound is untouched, and a siren goes on through a gap. That says more about the sound than
# about the guesses; listen to the gaps.
#
# </details>
#
# "Original" went through as many rows of the codec as the model guesses: compare with that, not with the recording.

# %% [markdown]
# ## 6 · Beside AudioFormer
#
# The same clip, the same hidden frames, the same rows. Who fills in more, the model above or the bundled AudioFormer?
# And how far does somebody get who names in each row the commonest visible code?

# %%
former, _ = af.load_pretrained("pretrained")
filled = fill(former, codes, hidden.expand(codes.shape))
theirs = (filled == codes[: len(filled)])[:n_rows, hidden].float().mean(1)

# %%
commonest = codes[:n_rows, ~hidden].mode(1, keepdim=True).values
trick = (codes[:n_rows, hidden] == commonest).float().mean(1)
lines = {"EnCodecMAE": guessed.accuracy(), "AudioFormer": theirs, "the clip's commonest code": trick}
show(plots.layers.by_layer(lines, "Right (share of hidden codes)", x="Codebook (row)", first=1))

# %% [markdown]
# Before you write down a winner: they were trained on different clips, for different times, and have different sizes.
# And there is something else. A latent is not made of its own frame alone.
#
# *Predict first: we change the sound in one gap and nowhere else. Which **visible** latents change?*

# %%
first, stop = plots.frames.gaps(hidden)[1]
hop = codec.hop_length
noise = torch.randn((stop - first) * hop, generator=torch.Generator().manual_seed(SEED))
changed = waveform.clone()
changed[:, first * hop : stop * hop] = 0.1 * noise
listen(changed, 24_000, f"noise from {first / codec.frame_rate:.2f} to {stop / codec.frame_rate:.2f} s")

# %%
change = sound_frames("latents", codec, changed, 24_000)[0] - latents
moved = change.norm(dim=0) / latents.norm(dim=0).mean()
sides = {"before": moved[max(0, first - 10) : first].flip(0), "after": moved[stop : stop + 10]}
show(plots.layers.by_layer(sides, "Change (share of a latent)", x="Frames away from the gap", first=1))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# The latents right beside the gap change, and the change fades with the distance. So a visible frame tells something
# about the hidden one next to it.
#
# </details>
#
# The latents beside a gap know something of what is in it: the codec looks at more sound than one frame, to both sides.
# AudioFormer's codes are made of the same latents, so its visible codes leak as well, only less: they are rounded. That
# is a second reason to hide long gaps, beside the one of notebook 06, and a reason to doubt any comparison of "share
# guessed" between models with different inputs. What counts is what the vectors are good for, and that is
# notebook 13.
#
# ## 7 · A second stage
#
# Once trained, EnCodecMAE can become its own teacher: cluster its vectors into 1024 groups (k-means), and let the next
# one guess the group instead of the code. The codec's codes are about the *sound*; these groups are about what the
# model has made of it. `audioformer pretrain --method encodecmae --targets kmeans --from RUN` does that.

# %%
work.cleanup()

# %% [markdown]
# ## Quiz
#
# **Q1.** EnCodecMAE's encoder is cheaper in training than AudioFormer's of the same size because
#
# - (a) it has no softmax
# - (b) latents are smaller than codes
# - (c) it never sees the hidden half
# - (d) it has fewer layers

# %% exercise="quiz"
answer_1 = "c"
# %%
quiz("autoencoder.cost", answer_1)

# %% [markdown]
# **Q2.** With gaps of one frame the model guesses nearly every code. Probably
#
# - (a) the gaps lie in silence
# - (b) the neighbours' latents contain the answer
# - (c) it has understood the sound
# - (d) the learning rate is too high

# %% exercise="quiz"
answer_2 = "b"
# %%
quiz("autoencoder.leak", answer_2)

# %% [markdown]
# **Q3.** After pre-training, a classifier keeps
#
# - (a) the heads
# - (b) the encoder
# - (c) encoder and decoder
# - (d) nothing: it starts again

# %% exercise="quiz"
answer_3 = "b"
# %%
quiz("autoencoder.kept", answer_3)

# %% [markdown]
# ## Recap
#
# - AudioFormer: codes in, codes out, MASK in between. EnCodecMAE: latents in, hidden ones left out, codes out.
# - Left out means cheap: half of the frames are a quarter of the pairs.
# - Guessing well is not the goal, and easy gaps and leaks make it look better than it is.
#
# **To read.** EnCodecMAE (arXiv 2309.07391); masked autoencoders (arXiv 2111.06377). Open: how much do latents leak?
#
# Next, [13](13_fair_comparison.ipynb): one ruler for both.
