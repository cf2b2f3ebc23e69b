"""Write the names of the 1000 classes of ImageNet-1k, in the order of every classifier's outputs.

They are those of the timm package, whose data in turn is WordNet's: the synset that each class is, and its lemmas,
the words that name it.
"""

from __future__ import annotations

import argparse
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from scripts.command_line import errors_in_one_line

CLASSES = 1000

HEADER = """\
# The classes of ImageNet-1k: WordNet synset and its lemmas, a line for each output of a classifier, in order.
# Written by scripts/pytorch/imagenet_labels.py from imagenet_synsets.txt and imagenet_synset_to_lemma.txt of timm
# (Apache License 2.0, Copyright 2019 Ross Wightman). The words are those of WordNet, whose licence is this:
#
# Permission to use, copy, modify and distribute this software and database and its documentation for any purpose
# and without fee or royalty is hereby granted, provided that you agree to comply with the following copyright notice
# and statements, including the disclaimer, and that the same appear on ALL copies of the software, database and
# documentation, including modifications that you make for internal use or for distribution.
#
# WordNet 3.0 Copyright 2006 by Princeton University. All rights reserved.
#
# THIS SOFTWARE AND DATABASE IS PROVIDED "AS IS" AND PRINCETON UNIVERSITY MAKES NO REPRESENTATIONS OR WARRANTIES,
# EXPRESS OR IMPLIED. BY WAY OF EXAMPLE, BUT NOT LIMITATION, PRINCETON UNIVERSITY MAKES NO REPRESENTATIONS OR
# WARRANTIES OF MERCHANTABILITY OR FITNESS FOR ANY PARTICULAR PURPOSE OR THAT THE USE OF THE LICENSED SOFTWARE,
# DATABASE OR DOCUMENTATION WILL NOT INFRINGE ANY THIRD PARTY PATENTS, COPYRIGHTS, TRADEMARKS OR OTHER RIGHTS.
#
# The name of Princeton University or Princeton may not be used in advertising or publicity pertaining to distribution
# of the software and/or database. Title to copyright in this software, database and any associated documentation
# shall at all times remain with Princeton University and LICENSEE agrees to preserve same.
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
