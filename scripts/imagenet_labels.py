"""Write the names of the 1000 classes of ImageNet-1k, in the order of every classifier's outputs.

They are those of the timm package, whose data in turn is WordNet's: the synset that each class is, and its lemmas,
the words that name it.
"""

from __future__ import annotations

import argparse
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from command_line import errors_in_one_line

CLASSES = 1000

HEADER = """\
# The classes of ImageNet-1k: WordNet synset and its lemmas, a line for each output of a classifier, in order.
# Written by scripts/imagenet_labels.py from imagenet_synsets.txt and imagenet_synset_to_lemma.txt of timm
# (Apache License 2.0, Copyright 2019 Ross Wightman); the words are those of WordNet 3.0, Copyright 2006 by
# Princeton University, whose licence allows use and distribution for any purpose: https://wordnet.princeton.edu
"""


def class_lines() -> list[str]:
    """Synset and lemmas of each class, a tab between them."""
    data = files("timm.data").joinpath("_info")
    synsets = data.joinpath("imagenet_synsets.txt").read_text(encoding="utf-8").split()
    lemma_lines = data.joinpath("imagenet_synset_to_lemma.txt").read_text(encoding="utf-8").splitlines()
    lemmas = dict(line.split("\t", 1) for line in lemma_lines if line)
    if len(set(synsets)) != CLASSES or len(synsets) != CLASSES:
        raise ValueError(f"timm {version('timm')} names {len(synsets)} synsets; expected {CLASSES}, all different")
    missing = [synset for synset in synsets if synset not in lemmas]
    if missing:
        raise ValueError(f"timm {version('timm')} has no lemmas of {missing[0]}")
    return [f"{synset}\t{lemmas[synset]}" for synset in synsets]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="the file to write")
    arguments = parser.parse_args()
    with errors_in_one_line():
        arguments.output.write_text(HEADER + "\n".join(class_lines()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
