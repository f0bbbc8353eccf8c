"""The guided tour: which room to go to, what to point at, what to say there, and the notebook of the same topic."""

TOUR = [
    {
        "at": "#af-samples",
        "title": "A sound",
        "text": "Everything on this page is about one sound. Record one, open a file, or click a sample. "
        "This tour takes seven minutes; the page stays usable, so try what it says. Escape leaves it.",
    },
    {
        "room": "listen",
        "at": "#af-view .af-bar",
        "title": "Before and after the codec",
        "text": "Press Play. Then swap A and B while it runs: A is the sound, B is what a neural codec can give back "
        "from its codes.",
        "notebook": "01_from_sound_to_codes",
    },
    {
        "room": "listen",
        "at": "#af-view [data-kind=codes]",
        "title": "The codes",
        "text": "75 columns a second, one row for each codebook. Click a code to hear it held; "
        "the arrow keys walk through the grid. "
        "Drag across any picture to hear a stretch in a loop.",
        "notebook": "01_from_sound_to_codes",
    },
    {
        "room": "listen",
        "at": "#af-view .af-keep",
        "title": "How many codebooks does it take?",
        "text": "Pull the slider down to 1: a sketch, at a fraction of the bits. Each further row corrects what "
        "those above left over.",
        "notebook": "02_residual_quantisation",
    },
    {
        "at": "#af-verdict",
        "title": "What is it?",
        "text": "A transformer reads the codes like words and gives each of its classes a probability. The tick "
        "marks chance. "
        "Give it a sound it has never heard of: it must still choose.",
        "notebook": "09_fine_tune",
    },
    {
        "room": "mask",
        "at": ".af-room[data-room=mask] .af-controls",
        "title": "Hide and guess",
        "text": "A model can learn without any label, by guessing hidden codes. Hide half of them, then hear the gap "
        "and what the "
        "model fills in. Does the label hold?",
        "notebook": "06_masked_prediction",
    },
    {
        "room": "flow",
        "at": ".af-room[data-room=flow] .af-walk",
        "title": "From sound to label, step by step",
        "text": "Press Next: one moment of this clip is followed from the air to the label, with its own numbers.",
        "notebook": "05_the_encoder",
    },
    {
        "room": "switches",
        "at": ".af-room[data-room=switches] .af-board",
        "title": "Switch parts off",
        "text": "Click a row, a head or a block: it is off, and the label is asked for again. "
        "Which part does this label need?",
        "notebook": "11_why_this_label",
    },
    {
        "room": "attention",
        "at": ".af-room[data-room=attention] .af-pair",
        "title": "Where does it look?",
        "text": "Each small map is one head: a row is a moment that looks, bright where it looks. Click a moment in "
        "the large map, "
        "then hear the sound as this head weighs it.",
        "notebook": "04_attention_by_hand",
    },
    {
        "room": "why",
        "at": ".af-room[data-room=why]",
        "title": "Why this label?",
        "text": "Attention does not answer that. Here parts of the sound are taken away to see which of them the "
        "label hangs on, and "
        "the curve checks whether the explanation is true.",
        "notebook": "11_why_this_label",
    },
    {
        "room": "map",
        "at": ".af-room[data-room=map]",
        "title": "A map of sounds",
        "text": "Every mark is a clip; near marks sound alike to the model. On the right the same clips before any "
        "training. "
        "Click one to hear it, and look where the wrong ones lie.",
        "notebook": "10_what_did_it_learn",
    },
    {
        "room": "files",
        "at": ".af-room[data-room=files] .af-controls",
        "title": "Many files, long recordings",
        "text": "Bring a folder: its moments become a table. Review the least sure ones and train again.",
        "notebook": "15_your_own_sounds",
    },
    {
        "room": "sight",
        "at": ".af-room[data-room=sight] .af-controls",
        "title": "Sound and sight",
        "text": "Press Play: a model that has watched and listened, without a label, points at what sounds.",
        "notebook": "17_sound_and_sight",
    },
    {
        "room": "results",
        "at": ".af-room[data-room=results]",
        "title": "How good is all this?",
        "text": "Scores beside chance and, but for adapting, a classic method, with how far they spread and the "
        "command that "
        "measured them. The classic method often wins at this size.",
        "notebook": "13_fair_comparison",
    },
    {
        "room": "live",
        "at": ".af-room[data-room=live]",
        "title": "Live",
        "text": "Allow the microphone, then clap, whistle, speak. Watch how long a new sound takes to win the label.",
        "notebook": "14_live",
    },
    {
        "room": "teach",
        "at": ".af-room[data-room=teach]",
        "title": "Teach it your own sounds",
        "text": "Name two classes, record a handful of each, and train a new last layer in seconds. Then find a "
        "sound that fools it.",
        "notebook": "15_your_own_sounds",
    },
    {
        "at": ".af-link",
        "title": "Take it with you",
        "text": "The address of the page always says what you see: sample, room, stretch, code. Link copies it. "
        "Pictures, values and "
        "sounds are under Save, and under every room stands what you are looking at, with the equations.",
    },
]
