"""audioformer: see how a machine learns to listen.

Audio classification as language understanding (AudioFormer, arXiv 2308.07221): a neural codec turns sound into codes, a
transformer learns them as a masked language model, a classifier is fine-tuned on top.

    import audioformer as af
    codes = af.load_codec("compact").encode(af.load_audio("dog.ogg"))
    af.load("esc10").classify("dog.ogg").labels

To train one: `open_dataset`, then `audioformer.data.prepare.prepare`, `Corpus.open`, a task (`MaskedModelling`,
`FineTuning`) with a recipe (`pretrain_preset`, `finetune_preset`), and `audioformer.train.train`, a loop of
records. `audioformer.hear` holds HEAR's interface, `audioformer.plots` the figures.

The public names (`__init__.pyi` lists them) load when they are first used: importing the package stays quick.

OpenMP's waiting threads sleep: torch divides its work among one thread per core, and by default each of them spins
while it waits for the others. Beside two busy programs the codec then runs at 1 to 2 times real time instead of about
100. The policy is read once, when torch loads, so `import audioformer` sets it first; a policy that you set yourself
stays. Where `import torch` comes before `import audioformer`, it comes too late: `torch.set_num_threads(1)` helps
then.
"""

import os

import lazy_loader

__version__ = "0.1.0"

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch loads; child processes take it over

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # the names stand in __init__.pyi
__all__ = [*__all__, "__version__"]
