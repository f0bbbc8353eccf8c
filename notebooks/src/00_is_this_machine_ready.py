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
# # 00 · Is this machine ready?
#
# **You will**
# 1. see that everything the notebooks need is here, and how fast it is;
# 2. see a figure, hear a sound, move a slider;
# 3. learn how exercises, hints and quizzes work.
#
# **Time** about 27 minutes. **Needs** no knowledge and nothing from the network. Headphones are a good idea all day.
#
# Run a cell with Shift + Enter. Run them from top to bottom.

# %%
import audioformer as af
from audioformer import plots
from audioformer.cli import main
from audioformer.cli.check import as_text
from audioformer.files import samples_folder
from audioformer.install.readiness import examine
from audioformer.teaching import check, folded, hint, listen, predict, quiz, reveal, sample, show, slider, trimmed
from audioformer.tokens import wrap

import contextlib
import io
import os
import time

import torch
from torch.testing import assert_close

# %% [markdown]
# ## 1 · What is here?
#
# The same list that `audioformer check` prints in a terminal: versions, sound devices, models, speed, data, and whether
# all of it works offline. A line marked FIX says what to do; `note` means that it works, but know this. If this cell
# stops with an error, run `make setup` in the folder of the project and start again.

# %%
examined = list(examine())
fixes = [one for one in examined if one.state == "wrong"]
print("ready" if not fixes else f"{len(fixes)} to mend: open the list")
folded("the whole list", as_text(examined))

# %% [markdown]
# And the bundled models with their measured scores, each with the command that gives it. (No need to understand it
# today; codecs come in 01, checkpoints in 08, scores in 09.)

# %%
with contextlib.redirect_stdout(io.StringIO()) as printed:
    main(["info"])
folded("models and their scores", printed.getvalue())

# %% [markdown]
# Some of the samples that come along (all computed, none recorded, so they belong to nobody):

# %%
names = sorted(path.name for path in samples_folder().rglob("*.ogg"))
print(len(names), "clips, the first ones:", *names[:3])

# %% [markdown]
# ## 2 · Can you see?
#
# A tone of 440 oscillations a second (440 hertz, Hz), measured 24 000 times a second.
#
# *Predict first: how many oscillations will you see in a hundredth of a second?*

# %%
sample_rate = 24_000
times_s = torch.arange(sample_rate) / sample_rate
tone = 0.3 * torch.sin(2 * torch.pi * 440 * times_s)
show(plots.audio.waveform(tone[:240].numpy(), sample_rate))

# %% [markdown]
# Hover over the line: it tells time and value. Drag to zoom, double-click to go back. If there is no picture, reload
# the page in the browser; figures need no network.
#
# <details><summary>What we saw</summary>
#
# Four, and the beginning of a fifth: 440 oscillations a second, divided by 100.
#
# </details>
#
# ## 3 · Can you hear?

# %%
listen(tone, sample_rate, "440 Hz, one second")
listen(trimmed("dog"), title="a dog")

# %% [markdown]
# No sound? Check the volume and the output of the computer before you blame the notebook: the player's line must move.
#
# *Predict first* stands before many cells. Some of these predictions are kept, in a file `my answers.json` beside the
# notebook that nobody else reads: a share from 0 to 1, and, if you like, `within=0.3`: the truth lies no further away
# than that, you think, four times out of five. At the end of the day a picture shows how well you know what you know.
# The first one: a dog barks twice in a clip of five seconds. In which share of it does hardly anything sound?

# %% exercise="prediction"
quiet = 0.5
# %%
predict("00.quiet", quiet)

# %%
whole = af.load_audio(sample("dog"), 24_000, mono=True).samples[0]
show(plots.audio.waveform(whole.numpy(), 24_000))
level = torch.stack([piece.square().mean() for piece in whole.split(480)])  # of each 20 ms
reveal("00.quiet", (level < level.max() / 1000).float().mean())  # 30 dB below the loudest

# %% [markdown]
# <details><summary>What we saw</summary>
#
# By far most of it: two barks are short, and around them is hardly more than the noise of a room. Some of the sound
# that a recording lasts is waiting.
#
# </details>
#
# ## 4 · Can you move a slider?
#
# Each slider stands under a question. Move it to both ends: nothing can break.


# %%
def draw_tone(frequency_hz):
    """A tone: ten milliseconds to see, one second to hear."""
    tone = 0.3 * torch.sin(2 * torch.pi * frequency_hz * times_s)
    show(plots.audio.waveform(tone[:240].numpy(), sample_rate))
    listen(tone, sample_rate, f"{frequency_hz} Hz")


tones_hz = [50, 100, 200, 440, 1000, 4000, 8000]
slider("Which is the lowest tone (Hz) that your loudspeaker or headphones can play?", tones_hz, draw_tone, 440)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# A small loudspeaker often gives nothing at 50 or 100 hertz although the player moves. Headphones go lower. Remember
# it when a sound later seems to lack something: it may be your loudspeaker.
#
# </details>
#
# ## 5 · How do exercises work?
#
# Replace the dots by your answer, run the cell, then the cell below it. It says *not yet*, names the first difference,
# or gives a tick. Stuck? Write `hint("ready.duration")` into a new cell (the + in the bar above) and run it; the folder
# `solutions` has all answers.
#
# ### Exercise 1 · How long is a clip?


# %% exercise="duration"
def my_duration(n_samples, sample_rate):
    """Samples, samples per second -> seconds, a float."""
    return n_samples / sample_rate


# %%
check("ready.duration", my_duration)

# %% [markdown]
# ### Exercise 2 · Make a tone
# As above, with amplitude 0.3.


# %% exercise="tone"
def my_tone(frequency_hz, duration_s, sample_rate):
    """Hz, seconds, Hz -> samples (N,), N = duration times rate, rounded."""
    times_s = torch.arange(round(duration_s * sample_rate)) / sample_rate
    return 0.3 * torch.sin(2 * torch.pi * frequency_hz * times_s)


# %%
check("ready.tone", my_tone)

# %% [markdown]
# ## 6 · Is it fast enough?
#
# Two things take time: turning sound into codes, and training. *Predict first: how long does this machine take to turn
# five seconds of sound into codes?*

# %%
codec = af.load_codec("compact")
waveform = af.load_audio(sample("dog"), 24_000, mono=True)
codec.encode(waveform)  # the first call prepares things
started = time.perf_counter()
codes = codec.encode(waveform)
seconds = time.perf_counter() - started
print(f"{waveform.duration_s:.1f} s of sound in {seconds:.2f} s,", end=" ")
print(f"{waveform.duration_s / seconds:.0f} times as fast as it plays")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# A small part of five seconds on most computers. There is no right number here: it is this machine's.
#
# </details>
#
# And one training step of a model of the size that the kit calls "tiny", on four such clips (what the lines mean comes
# in 03 and 05):

# %%
model = af.AudioFormer(af.preset("tiny", n_codebooks=1))
tokens = wrap(codes[:, :1].expand(4, -1, -1).contiguous()).tokens
started = time.perf_counter()
model(tokens).hidden.sum().backward()
print(f"{time.perf_counter() - started:.2f} s on {torch.get_num_threads()} of {os.cpu_count()} cores")

# %% [markdown]
# Below about two seconds the whole set of notebooks runs smoothly. If it is more, close other programs; everything
# still works, slower. A graphics card is not needed.
#
# ## 7 · Does it always come out the same?
#
# *Predict first: two lists of random numbers from the same seed. Which of their entries agree?*

# %%
SEED = 7
print("seed", SEED)
first = torch.randn(5, generator=torch.Generator().manual_seed(SEED))
second = torch.randn(5, generator=torch.Generator().manual_seed(SEED))
assert_close(first, second)
print([round(x, 3) for x in first.tolist()])

# %% [markdown]
# `assert_close` is silent when two things are equal and stops when they are not. You will see it wherever we computed
# something by hand first and then with the library.
#
# <details><summary>What we saw</summary>
#
# All of them: the same seed, the same numbers. Had one differed, `assert_close` would have stopped the cell.
#
# </details>
#
# ## Quiz
#
# Put the letter of your answer in place of the dots, in quotes: `answer_1 = "b"`. Run the cell, then the one below it.
#
# **Q1.** You restart this notebook and run it again. The numbers of the last cell are
#
# - (a) the same
# - (b) the same only on the same day
# - (c) others, unless nobody else uses the machine
# - (d) others

# %% exercise="quiz"
answer_1 = "a"
# %%
quiz("ready.seed", answer_1)

# %% [markdown]
# **Q2.** You run all cells of a notebook whose exercises are still open.
#
# - (a) it runs to the end and says *not yet*
# - (b) It stops at the first one
# - (c) it fills in the answers
# - (d) the kernel dies

# %% exercise="quiz"
answer_2 = "a"
# %%
quiz("ready.run_all", answer_2)

# %% [markdown]
# **Q3.** Why "predict first"?
#
# - (a) to see who is clever
# - (b) to save computing time
# - (c) so that the check passes
# - (d) Because a wrong guess shows what to look at

# %% exercise="quiz"
answer_3 = "d"
# %%
quiz("ready.predict", answer_3)

# %% [markdown]
# ## Recap
#
# - You saw, heard, moved and checked something; the machine knows its own speed.
# - Every notebook: goals, predictions, cells of a few lines, exercises, a doubt, a quiz.
#
# **To read.** Improving reproducibility in machine learning (arXiv 2003.12206): what a result has to come with. Open:
# what must you know to get somebody else's number again?
#
# Next, [01](01_from_sound_to_codes.ipynb): how a sound becomes a few hundred whole numbers.
