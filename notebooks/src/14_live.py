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
# # 14 · Can a model listen while the sound is still coming in?
#
# **You will**
# 1. get codes from chunks of sound, first wrongly, then exactly those of the whole;
# 2. keep only what is needed, and see how long a new sound takes to win the label;
# 3. find out what a model that is too slow must give up, measure this machine, and listen through a microphone.
#
# **Time** about 40 minutes, of which the computer needs less than one. **Needs** notebooks 01 and 09. A microphone is
# nice to have; everything but the last section uses recorded sound.

# %%
import audioformer as af
from audioformer import plots
from audioformer.live import LiveListener
from audioformer.teaching import check, hint, listen, quiz, show, slider, trimmed
from audioformer.teaching.n14_live import answered
from audioformer.widgets import live, timeline

import statistics
import time

import torch
from IPython.display import display
from torch.testing import assert_close

print("nothing here is random: no seed")

# %% [markdown]
# A dog that barks again and again for five seconds, then five seconds of rain, as a microphone would hear them.

# %%
clf = af.load("esc10")
codec = clf.codec
RATE = codec.sample_rate  # samples a second
dog, rain = (trimmed(name, sample_rate=RATE).samples[0] for name in ("dog", "rain"))
dog = dog.repeat(8)
sound = torch.cat([dog[: 5 * RATE], rain[: 5 * RATE]])
listen(sound, RATE, title="what comes in")

# %% [markdown]
# ## 1 · Chunk by chunk
#
# Ten chunks a second. The obvious way: encode each chunk when it comes, and put the codes one after the other.
#
# *Predict first: which share of the codes will be those of the whole sound? Where will the wrong ones be?*

# %%
CHUNK = RATE // 10
whole = codec.encode(sound, RATE)[0]
naive = torch.cat([codec.encode(chunk, RATE)[0] for chunk in sound.split(CHUNK)], -1)
print("the whole: (rows, frames)", tuple(whole.shape), " the chunks:", tuple(naive.shape))
print("hops in a chunk", CHUNK / codec.hop_length)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Hardly any: there are more frames than in the whole, so each stands at a wrong place.
#
# </details>
#
# A frame is made every 320 samples, a **hop**; a chunk of a tenth of a second is 7.5 hops. A partial frame counts as a
# whole one, so each chunk gives 8: there are too many frames, each later than the last, and that alone is fatal. With
# chunks of whole frames it does not happen:

# %%
HOPS = 8 * codec.hop_length
naive = torch.cat([codec.encode(chunk, RATE)[0] for chunk in sound.split(HOPS)], -1)
same = naive == whole
print("the same, by row:", [f"{share:.0%}" for share in same.float().mean(1).tolist()])

# %%
by_place = same[:, : same.shape[1] // 8 * 8].reshape(len(same), -1, 8).float().mean(1)
lines = {"row 1": by_place[0].tolist(), "row 8": by_place[-1].tolist()}
show(plots.layers.by_layer(lines, "As in the whole (share)", x="Place in the chunk (frame)", first=1))

# %% [markdown]
# A frame is seen with what lies around it: what came before (the encoder remembers) and a little of what follows (its
# window reaches over the edge). A chunk that begins knows nothing before, and one that ends nothing after. You hear it:

# %%
listen(codec.decode(naive)[0], RATE, title="chunks, each alone")
listen(codec.decode(whole)[0], RATE, title="the whole")

# %% [markdown]
# ## 2 · As soon as it can be known
#
# A stream remembers, and waits: a code is given out when no sound to come can change it.

# %%
stream = codec.stream()
pieces = [stream.push(chunk)[0] for chunk in sound.split(CHUNK)]
print("frames given out with each chunk:", [piece.shape[1] for piece in pieces][:12], "...")

# %% [markdown]
# *Predict first: how many of these codes differ from those of the whole sound?*

# %%
pieces.append(stream.finish()[0])
assert_close(torch.cat(pieces, -1), whole)
print("look-ahead:", f"{1000 * codec.look_ahead_s:.1f} ms")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# None, whatever the chunks are: the cell above compares all of them.
#
# </details>
#
# It costs the **look-ahead**: so much sound must have come after a frame before its codes
# are sure.
#
# ### Exercise 1 · How many frames are sure?
# All lengths in samples.


# %% exercise="known"
def my_known(n_samples, hop_length, look_ahead):
    """Samples so far, samples a frame, samples of look-ahead -> frames that can be given out, an int."""
    return max(0, n_samples - look_ahead) // hop_length


# %%
check("live.known", my_known)


# %%
def draw_chunks(chunk_ms):
    """Codes known after each chunk, against the sound that has come."""
    stream, came_s, late_ms = codec.stream(), 0.0, []
    for chunk in sound[:RATE].split(RATE * chunk_ms // 1000):
        stream.push(chunk)
        came_s += len(chunk) / RATE
        late_ms.append(1000 * (came_s - stream.n_frames / codec.frame_rate))
    show(plots.layers.by_layer({"left": late_ms}, "Sound without codes (ms)", x="Chunk (number)", first=1))
    print(f"chunks of {chunk_ms} ms: when one is in, up to {max(late_ms):.0f} ms of sound lack codes")


# %% [markdown]
# *Predict first: how much of the sound has no codes yet when a chunk has just come in?*

# %%
CHUNKS_MS = [20, 50, 100, 250, 500]
slider("Short chunks are answered sooner. What do they not improve?", CHUNKS_MS, draw_chunks, 100)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# The look-ahead: however short the chunks are, that much sound must still follow a frame before its codes are sure.
#
# </details>
#
# ## 3 · Not everything for ever
#
# A microphone may run all day. Somebody who keeps all of it runs out of memory.
#
# ### Exercise 2 · The last so many


# %% exercise="keep"
def my_keep(kept, new, n_most):
    """Samples kept (N,), new ones (M,), how many may be kept -> the latest ones, in order."""
    return torch.cat([kept, new])[-n_most:]


# %%
check("live.keep", my_keep)

# %% [markdown]
# The library's `LiveListener` does this for sound, codes and labels, and asks the classifier about the latest window.
# The room *Live* of the app is made of the same class.

# %%
listener = LiveListener(clf, keep_s=6)
for chunk in sound.split(CHUNK):
    listener.push(chunk, RATE)
kept = len(listener.samples) / RATE
print(f"{listener.duration_s:.1f} s came, {kept:.1f} s kept, from {listener.kept_s:.1f} s on")

# %%
assert_close(listener.codes, whole[:, listener.first_frame : listener.n_frames])
heard = listener.label()
print(f"{heard.start_s:.1f}-{heard.end_s:.1f} s: {heard.labels[0]} {heard.probabilities[0]:.0%}")
print(f"level {heard.level_db:.0f} dB (0 dB would be as loud as a file can be)")

# %% [markdown]
# ## 4 · How long until rain wins?
#
# The dog ends at 5 s, and the window is as long as in training:

# %%
print(f"window {clf.window_s:.1f} s")

# %% [markdown]
# *Predict first: we ask every quarter of a second. At which time will the label turn to rain? And with a window of one
# second?*


# %%
def history(window_s):
    """Probabilities of all classes (A, C), asked four times a second."""
    listener, rows = LiveListener(clf, top_k=len(clf.label_names)), []
    for chunk in sound.split(RATE // 4):
        listener.push(chunk, RATE)
        heard = listener.label(window_s)
        found = dict(zip(heard.labels, heard.probabilities, strict=True)) if heard else {}
        rows.append([found.get(name, 0.0) for name in clf.label_names])
    return torch.tensor(rows)


# %%
def draw_window(window_s):
    """The three leading labels over time."""
    scores = history(window_s)
    show(plots.predictions.frame_scores(scores.numpy(), 4.0, clf.label_names))
    rain_leads = scores.argmax(1) == clf.label_names.index("rain")
    after = [i for i in range(20, len(scores)) if rain_leads[i]]  # asked when the rain had begun
    told = f"first leads {(after[0] + 1) / 4 - 5:.2f} s after it began" if after else "never leads"
    print(f"window {window_s:g} s: rain {told}")


# %%
WINDOWS_S = [0.5, 1, 2, 5]
slider("Which window would you give a smoke alarm, which one a bird counter?", WINDOWS_S, draw_window, 5)

# %% [markdown]
# A long window is slow and steady, a short one quick and jumpy. In between a third label may lead: a window of half a
# dog and half a rain is like neither. Something else may have struck you: short windows are also *foreign* to this
# model, which was trained on long ones. How would you tell the two reasons apart?
#
# <details><summary>What we saw</summary>
#
# Train, or test, a model on short windows: if the jumps stay, they come from the sound, else from the strangeness. For
# a smoke alarm the short window, for a bird counter the long one, which is wrong less often.
#
# </details>
#
# ## 5 · Too slow
#
# Suppose a chunk comes every half second, and the model needs 0.8 s for an answer. If every chunk gets an answer, in
# order, chunks wait in a queue.
#
# ### Exercise 3 · How late is each answer?
# From the moment a chunk is whole to its answer. The first is whole at `every_s`.


# %% exercise="lateness"
def my_lateness(every_s, work_s, n_chunks):
    """Seconds a chunk, seconds of work each, how many -> lateness of each answer, (n_chunks,) seconds."""
    free, late = 0.0, []
    for chunk in range(n_chunks):
        whole_at = (chunk + 1) * every_s
        free = max(free, whole_at) + work_s
        late.append(free - whole_at)
    return torch.tensor(late)


# %%
check("live.lateness", my_lateness)

# %% [markdown]
# *Predict first: after a minute of this, how late is the label?*
#
# <details><summary>What we saw</summary>
#
# More than half a minute: each of the 120 chunks adds three tenths of a second.
#
# </details>
#
# The other way: all sound goes into the codes, but the model looks only at the newest window when it is free. Here are
# the chunks that such a model answers:

# %%
print("chunks that get an answer, from 0:", answered(every_s=0.5, work_s=0.8, n_chunks=12).tolist())


# %%
def draw_late(work_s):
    """Lateness of a queue, and of a model for which the latest window wins."""
    n, every_s, free, latest = 40, 0.5, 0.0, []
    queue = [work_s + chunk * max(0.0, work_s - every_s) for chunk in range(n)]
    for chunk in answered(every_s, work_s, n).tolist():
        free = max(free, (chunk + 1) * every_s) + work_s
        latest.append(free - (chunk + 1) * every_s)
    lines = {"every chunk": queue, "latest wins": latest}
    show(plots.layers.by_layer(lines, "Answer after its sound (s)", x="Answer (number)", first=1))
    print(f"work {work_s} s: the queue ends {queue[-1]:.1f} s late, latest wins {latest[-1]:.1f} s late")
    print(f"latest wins answers {len(latest)} of {n} chunks")


# %%
slider("From which work time on do the two lines part?", [0.1, 0.4, 0.5, 0.6, 0.8, 2.0], draw_late, 0.8)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# As soon as the work takes longer than a chunk, half a second. Below, the two are the same.
#
# </details>
#
# Never drop sound, drop answers: a code once missed is missed for good, a label of five seconds ago interests nobody.

# %% [markdown]
# ## 6 · This machine
#
# *Predict first: half a second of sound. How long do its codes take here, and how long the label?*

# %%
listener, times = LiveListener(clf), {"codes": [], "label": []}
for chunk in sound.split(RATE // 2):
    started = time.perf_counter()
    listener.push(chunk, RATE)
    times["codes"].append(1000 * (time.perf_counter() - started))
    listener.label()
    times["label"].append(1000 * (time.perf_counter() - started) - times["codes"][-1])

# %%
for what, values in times.items():
    print(f"{what}: {statistics.median(values):.0f} ms as a rule, {max(values):.0f} ms at worst, of 500 ms")

# %%
show(plots.layers.by_layer(times, "Time (ms)", x="Chunk of 0.5 s (number)", first=1))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Yours are printed. On most machines both together take a small part of half a second; if not, labels are given less
# often.
#
# </details>
#
# The first one often takes longest (memory is fetched, plans are made). What counts for a user is not the middle but
# the slow end: people remember the one time it hung. That is why the app shows the 95th percentile.

# %% [markdown]
# ## 7 · A moment, frozen
#
# What is kept can be cut, and looked at like any other sound.

# %%
moment = listener.cut(4.0, 6.5)
listen(moment, title="4.0 to 6.5 s")
timeline(moment, classifier=clf)

# %% [markdown]
# ## 8 · Your microphone
#
# The browser records, this kernel listens. Press *Listen*, allow the microphone, and clap, whistle, speak. Nothing is
# stored. (Without a microphone the button says so, and the notebook goes on.)

# %%
view = live(clf)
display(view)

# %% [markdown]
# Try these: switch the browser's noise suppression on while you imitate rain. Hold the window at 1 s, then at 5 s.
# Stay silent: what does the model call silence, and why must it? Afterwards, in Python:

# %%
print([f"{one.end_s:.1f} s {one.labels[0]}" for one in view.listener.history] or "nothing heard yet")

# %% [markdown]
# ## Quiz
#
# **Q1.** You stream with chunks of 20 ms, your neighbour with chunks of a second. Your codes
#
# - (a) are better
# - (b) are the same
# - (c) are worse
# - (d) are fewer

# %% exercise="quiz"
answer_1 = "b"
# %%
quiz("live.chunks", answer_1)

# %% [markdown]
# **Q2.** The model is slower than the sound. Best is to leave out
#
# - (a) answers
# - (b) every second codebook
# - (c) nothing
# - (d) chunks of sound

# %% exercise="quiz"
answer_2 = "a"
# %%
quiz("live.slow", answer_2)

# %% [markdown]
# **Q3.** Window 5 s. Two seconds after the dog has given way to rain the label still says dog. That is
#
# - (a) to be expected
# - (b) a slow computer
# - (c) a bug in the stream
# - (d) a wrong sample rate

# %% exercise="quiz"
answer_3 = "a"
# %%
quiz("live.window", answer_3)

# %% [markdown]
# ## Recap
#
# - A stream remembers and waits a little; then chunks of any size give exactly the codes of the whole.
# - A label is about a window: its length is how slow and how sure it is.
# - Sound is never dropped, answers may be; measure the slow end.
#
# **To read.** EnCodec (arXiv 2210.13438): a codec made for streams. Open: what is a label worth that comes half a
# second late?
#
# Next, [15](15_your_own_sounds.ipynb): classes that you name yourself.
