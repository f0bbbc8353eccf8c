"""The short explanations on the page, Markdown with KaTeX maths."""

SENTENCE = (
    "Give it a sound: see the codes a neural codec writes for it, hear what they keep, "
    "and read the label a small transformer finds in them."
)

PICTURES = """
#### The pictures
All lanes share one time axis. **Waveform**: air pressure over time, as the codec hears it. **Log-mel**: how much sound
there is at each frequency, in decibel; the scale is spaced like hearing, close together where the ear tells less apart.

$$ L_{m,t} = 20\\,\\log_{10} \\sum_f w_{m,f}\\,|X_{f,t}| $$

**Score**: the same classifier, given only the half second around each moment. It shows which part of the clip sounds
like a label by itself; there is no line where there is silence.
"""

CODES = """
#### The codes
The codec turns each frame (13 ms) into one entry of each codebook. Row 1 is a coarse sketch, and every further row
corrects what the rows above it left over (residual vector quantisation):

$$ c_{k,t} = \\arg\\min_v \\lVert r_{k,t} - e_{k,v} \\rVert $$
$$ r_{k+1,t} = r_{k,t} - e_{k,c_{k,t}} $$

with $r_{1,t}$ the encoder's output. $K$ rows of 1024 entries at 75 frames/s cost $K \\cdot 10 \\cdot 75$ bit/s. A code
is a name, not an amount: a similar **colour** means a similar codebook vector within its row, nothing more.
"""

LABEL = """
#### The label
The codes are the words a transformer (AudioFormer) reads. Its output vectors $h_s$ are averaged and one linear layer
gives the classes:

$$ p = \\mathrm{softmax}\\Big(W\\,\\tfrac1S \\textstyle\\sum_s h_s + b\\Big) $$

The label always comes from the checkpoint's own codec, whichever codec you look at. It knows only its own classes: a
piano shown to *digits* is still given a digit. A high probability is not a proof.
"""

MASKING = """
#### Hiding
A model can learn without any label: it reads sounds with some codes hidden behind a MASK token and guesses them (masked
language modelling, as BERT does with words). The model *pretrained* has learnt so and guesses here; *esc10* and
*digits*, which give the label, went without. Here you hide them yourself: at random, as in training, or with the brush.

$$ \\mathcal L = -\\frac1{|M|} \\sum_{(k,t) \\in M} \\log p(c_{k,t} \\mid \\text{the rest}) $$
"""

GUESSING = """
#### Surprise
The **surprise** at a place is $-\\log p$ of the code that was really there, in nats. Knowing nothing costs $\\log V$
(6.93 for 1024 codes): the dashed line. Row 1 is easiest; the lower rows correct fine detail that hardly repeats, so
their best guess is rarely the true one, although it may sound alike. Click a hatched code to compare by ear.
"""

FILLING = """
#### Filling
**At once** takes the likeliest code at every place, no place knowing what its neighbours get. **In steps** keeps the
surest guesses first and asks again, eight times. A filling that sounds dull is honest: the likeliest code is often the
most ordinary one. **The label** shows how much the classifier's answer hangs on what you hid.
"""

ATTENTION = """
#### Attention
Each head of each layer lets every moment $i$ take something over from every moment $j$, with weights

$$ a_{ij} = \\mathrm{softmax}_j\\big(q_i \\cdot k_j / \\sqrt d\\big), \\qquad \\textstyle\\sum_j a_{ij} = 1 $$

Small maps: all heads. Large map: one head; each row is a moment that looks, bright where it looks. Click a moment: the
spectrogram stays clear where this head looks and pales elsewhere.
"""

ROLLOUT = """
#### Reach, spread, rollout
**Reach** is the mean distance a head looks; a bright diagonal is a head that looks beside itself. **Spread** is
$e^{H}$, with $H$ the entropy of its weights: how many positions it shares its look among. **Rollout** multiplies the
layers, $\\tilde A = \\prod_l \\tfrac12(\\bar A_l + I)$: how much of each moment can have reached the clip's vector.
"""

ATTENTION_LIMITS = """
#### What this does not show
A weight says how much is taken over, not how much it matters for the label: values can be near zero where the weight is
large, and the layers between do as much work as attention. Different weights can give the same answer (Jain and Wallace
2019). Read it as *where this head looks*, never as *why the model says dog*; hide the moment in **Mask** to test it.
"""

LIVE = """
#### Listening
The microphone is read on the browser's audio thread and sent in portions. The codec writes codes as soon as they cannot
change any more: it looks 13 ms ahead, so **chunks of any size give exactly the codes of the whole sound**. While an
answer is awaited, sound is collected: a slow model gets longer portions and only the latest window, and **no sound is
dropped**. Where a lane ends on the right is how far each step has come.
"""

LIVE_WINDOW = """
#### The window
A label is about the last few seconds, not about this instant. After a change of sound, a window of $w$ seconds holds a
share

$$ s(t) = \\min(1, t / w) $$

of the new one $t$ seconds later: short windows react sooner, long ones are surer. Try it, with the same sound twice.
"""

LIVE_LIMITS = """
#### What to doubt
The model must choose among its classes: your chair gets a label too. Nearly silent sound gets none. Rooms, loudspeakers
and the browser's **noise suppression** change sounds in ways its training did not know; switch it on and hear what
happens to rain. The time shown runs from the arrival of the last sample in the page to the label on the screen; the
microphone's own delay, 10 to 50 ms, comes before it. **Freeze** keeps half a minute, which can go to every other room.
"""

WHY = """
#### Three ways of asking
**Hiding it**: each block of the clip goes behind MASK, and the probability of the label falls by so much. **Integrated
gradients** share the label's log-odds $F$ out among all codes, on a straight line from "all hidden" $x'$ to the clip
$x$; the shares add up to $F(x) - F(x')$:

$$ A_i = (x_i - x'_i) \\cdot \\int_0^1 \\frac{\\partial F}{\\partial x_i}\\big(x' + a\\,(x - x')\\big)\\,da $$

**Rollout** follows attention through all layers. It has never heard of the label.
"""

TRUST = """
#### Can it be believed?
Take away what a map calls important, most important first: the probability should drop at once (**these hidden**). Give
only that: it should rise at once (**only these shown**). The dotted lines do the same with the very same blocks in
random order. An explanation whose lines lie on the dotted ones explains nothing, however good it looks. In bundled
scenes the true times of the events are known: does the map peak there?
"""

WHY_LIMITS = """
#### What this does not show
**Two places that say the same cover for each other**: hide one, the other is still there, and neither seems to matter.
A clip full of MASK is a question that the model was never trained for. Another start $x'$ gives other gradients. And a
map that misses the event may be right about the *model*: perhaps it listens to the room, the hiss, the silence before.
An explanation says what this model used, not what a dog sounds like.
"""

MAP = """
#### One mark, one clip
A model turns a clip into a vector $z$ of many numbers; the map lays these into the plane. **PCA** takes the plane in
which they spread most. **UMAP** bends it, so that neighbours stay neighbours: who is beside whom can be read, the
distance between islands cannot. **statistics** has learnt nothing (means of a log-mel picture), **random** is the
transformer before any training: what does learning add? Right and left show the same clips; the right map is turned to
lie like the left one. With **its training** on the right, step through what the left model was before, from its first
weights on.
"""

MAP_NEIGHBOURS = """
#### Neighbours
Two clips are alike when their (standardised) vectors point the same way,

$$ \\cos(z_i, z_j) = \\frac{z_i \\cdot z_j}{\\lVert z_i \\rVert\\,\\lVert z_j \\rVert} $$

**kNN purity** is the share of a clip's nearest clips that have its label. A model without classes of its own calls a
clip what its neighbours are called. The **star** is the sound on the page, drawn amid its five nearest.
"""

MAP_LIMITS = """
#### What this does not show
A plane leaves most of the vectors out: purity is counted in all dimensions, not on the picture. Two recordings of one
session are alike for their room. The 300 clips that come with the kit are computed, 25 of each of twelve kinds, and
clean: real recordings are harder. Clips of classes that a checkpoint does not know **must** be wrong; colour by error
sets them apart. UMAP finds islands even in noise.
"""

TEACH = """
#### A handful of examples
Name two classes or more, bring two or more examples of each, five are better: record, drop files, or take the sound on
the page. Each sound goes to the computer that runs this app, which takes its codes and deletes the file. The codes are
forgotten when this page is closed; the sounds stay in this browser, so that a reload loses nothing, until you press
**Start anew**. **Save project** makes one file of it all. One class of other sounds lets it answer "none of these".
"""

TEACH_HOW = """
#### What learns
**The last layer**: the model reads each example once, and a linear layer learns to tell the vectors $z$ apart,

$$ \\min_{W,b}\\; -\\textstyle\\sum_i \\log \\mathrm{softmax}(W z_i + b)_{y_i} $$

which takes seconds and cannot spoil what the model knows. **Everything** moves all weights: slower, stronger, and with
few examples soon learnt by heart. The dashed line is the loss of knowing nothing, $\\log C$.
"""

WITHOUT_SERVER = {  # what the app says of its server and of what only it can do, and what holds on a page without one
    "Each sound goes to the computer that runs this app, which takes its codes and deletes the file. The codes are\n"
    "forgotten when this page is closed; the sounds": "Nothing leaves this computer. Examples and their sounds",
    "**Everything** moves all weights:": "The app can also move **all** weights:",
}

TEACH_LIMITS = """
#### What to doubt
A loss near its lowest says that it knows *these* examples; with smoothed labels (a tenth of each label is shared out
among all classes) that is above zero. From three examples of a class on, one is held back as a test; better ones come
from another room, another day: what it has learnt may be the microphone. The checkpoint you download is an ordinary
one; `audioformer classify --checkpoint taught` takes the unzipped folder, and notebook 15 does the same with a test
that deserves the name.
"""

RESULTS = """
#### What was measured
These numbers come with the kit; they were measured by the command under the figure. **Frozen features** lays one ruler
along all models: their vectors stay as they are, and the same small learner reads them. **Adapting** trains more and
more of one model on eight recordings a class. **Which part helps** changes one thing at a time in the authors' recipe,
with a small model.
"""

RESULTS_RULES = """
#### How to read them
No score is of sounds that its learner has heard: parts of the data are held out in turn, and the mark is the mean over
them. The bar is how much the score moves with the seed (frozen features) or with the part held out (the other two).
**Chance** is what knowing nothing gives. Two marks whose bars overlap are, as far as this says, equal; so are
differences of less than

$$ 2\\,\\sqrt{p\\,(1-p)/n} $$

for $n$ clips: 4.5 points for $p = 0.8$ on the 320 clips of ESC-10.
"""

RESULTS_LIMITS = """
#### What to doubt
Hand-made statistics with a support vector machine are ahead of these small transformers on ESC-10: with 320 clips and a
laptop, prior knowledge beats learning. The paper's claims are about a model that read two million clips. The codec
heard three of the four folds and five of the six speakers without labels, and the pre-trained model all six speakers.
"""

MICROPHONE = (
    "Browsers take noise out of recordings; to a sound classifier that means taking out sounds. This asks them not to. "
    "Recordings go only to the computer that runs this app."
)

KEYS = """
**Keys**, once the picture has the focus: space plays and stops, B swaps the sounds, arrows move from code to code (with
shift ten at a time), Enter plays one; [ and ] set the ends of a stretch, Z zooms into it, Escape clears it; X hides a
code.
"""

FILES = """
#### The table
Each recording is cut into moments of equal length, and the checkpoint names each one by itself, as it would name a
short file. **How sure** is the probability of that label. What is silent or too quiet gets no label and stands last.
The table can be sorted, narrowed to one label, and cut off below a probability.
"""

FILES_REVIEW = """
#### The review
Listen, then press *yes* or *no*; after *no* say what it is. **Least sure first** is the cheapest order to learn from:
there a corrected label tells the model most. **Like this** sorts by the cosine between the vectors of two moments,

$$ \\cos(h_a, h_b) = \\frac{h_a \\cdot h_b}{\\lVert h_a \\rVert \\, \\lVert h_b \\rVert} $$

so it finds more of what you point at, named or not. **Train again** takes the reviewed moments to Teach.
"""

FILES_LIMITS = """
#### What to doubt
A moment that cuts a sound in two may get another label than the whole. The share of *yes* among the surest moments is
not the share among all: to measure how often the model is right, review moments as recorded, not the surest. Moments
of one recording are alike; the data set names the recording as their group, so that a split keeps them together.
"""

SIGHT = """
#### Where is the sound?
Nobody told the model which thing sounds. It has seen many scenes with their sounds and learnt to tell which scene
belongs to which sound. One tower turns each moment of the sound into a vector $a_t$, the other each place of each frame
into a vector $v_{t,x}$; how well they fit is $\\cos(a_t, v_{t,x})$. Clear are the pixels that make the picture fit: the
gradient of the fit times how far a pixel is from the bare ground. Where nothing is heard, all is dark.
"""

SIGHT_HOW = """
#### The contrast
A sound fits a scene as well as its best place does, on average over the moments that are loud. Of a batch, the own
scene $j = i$ shall fit best, both ways:

$$ \\mathcal L = -\\frac1B \\sum_i \\log \\frac{e^{s_{ii} / \\tau}}{\\sum_j e^{s_{ij} / \\tau}} $$

That is all. That things have places comes out of it: a sound that follows one thing's motion fits where that thing is.
"""

SIGHT_LIMITS = """
#### What to doubt
Scenes are drawn, and each kind of sound has its shape; nothing was learnt from a film. Much can be known from the kind
alone: where two things of one kind move, only time tells them apart, and there the model is much worse (see
results/sight.md). It must point somewhere: your own sound was never in these scenes. The spoken digits it learnt from
are of five speakers, and the label said which digit goes with which picture.
"""

FLOW = """
#### One moment on its way
Each box of the strip is one step from sound to label, with the numbers of this clip at the moment of the cursor. A
click opens it, **Next** walks through all of them. Nearly every step is a matrix times a vector:

$$ y_i = \\textstyle\\sum_j M_{ij}\\,x_j + b_i $$

Blue is above zero, orange below. The last line writes one output out. Click another, or use the arrow keys there.
"""

FLOW_BLOCK = """
#### Inside a block
$$ \\mathrm{softmax}\\big(Q K^\\top / \\sqrt d\\big)\\, V $$

**Query** (what this moment looks for), **key** (what others find it by) and **value** (what it hands over) are three
products of the same vector. What heads and feed-forward units find is added: each block changes the vector a little.
"""

FLOW_LIMITS = """
#### What this does not show
How a label is computed is not why it is right. Single numbers have no names: nobody knows what "number 17" stands for.
The codec's own network stays closed. What matters is found by taking things away: see **Switches** and **Why**.
"""

SWITCHES = """
#### Parts that can be switched off
A **row** of codes is hidden, as behind the brush in Mask. A **head** or a **feed-forward unit** adds nothing to the
vector. A whole **block** lets everything through unchanged. The label, its score over time and the bars change at once.
**Switch off each in turn** tries every part alone: blue, the label loses points of probability; orange, it gains.
"""

SWITCHES_UNITS = """
#### What drives a unit
A feed-forward unit looks for one pattern in the vector of a moment: $u = \\mathrm{GELU}(w \\cdot x + b)$. **What drives
it** plays the moments, in all sample sounds, at which it says most. What have they in common?
"""

SWITCHES_LIMITS = """
#### What this does not show
Parts stand in for each other: each alone may hardly matter, and all together may be everything. The model has never
learnt to do without a part. And what a label loses without a part is not what that part is for.
"""
