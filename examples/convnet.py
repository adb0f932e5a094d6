"""A convolutional network on the handwritten digits, its convolutions a sum of two indices.

    pip install -e ".[examples]" && python examples/convnet.py

The data, their split and Adam are those of digits.py. Two convolutions, one pooling and one dense layer are four
lines of index text: an index `i+u-1` slides a kernel over an image, `2*i+u` visits every other pixel, `(c i j)` makes
one axis of three, and `label[b]` inside an index picks the probability of the right digit. The script

 1. declares the network and its loss, derives the gradients and prints them as formulas,
 2. trains with Adam on images that are moved by up to a pixel, drawn anew for every batch,
 3. checks the gradients against differences, and fails if they differ or if fewer than 98.5 % of the test digits are
    read rightly,
 4. draws the loss, the kernels of the first layer, what both layers make of some digits, and the misread ones.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from digits import Adam, Arrays, accuracy, load
from matplotlib import pyplot as plt
from threadpoolctl import threadpool_limits
from tqdm import tqdm

import einback as eb

SEED = 0
SIDE, CLASSES = 8, 10
BATCH, RATE = 64, 3e-3
GOAL = 0.985  # of the test digits

convolve = eb.layer("h[b,o,i,j] = relu(x[b,c,i+u-1,j+v-1] K[o,c,u,v] + a[o])")
pool = eb.layer("h[b,c,i,j] = max[u:2,v:2](x[b,c,2*i+u,2*j+v])")
dense = eb.layer("z[b,k] = x[b,c,i,j] W[(c i j),k] + a[k]")
cross_entropy = eb.layer("loss = -L[b,label[b]] / size(b)")


class Network(NamedTuple):
    first: eb.Tensor  # what the first layer makes of an image
    pooled: eb.Tensor
    logits: eb.Tensor
    loss: eb.Tensor
    parameters: dict[str, eb.Tensor]
    grads: dict[str, eb.Tensor]


def declare(channels: int) -> Network:
    """Kernels of 3 by 3 pixels; the second layer has twice the channels of the first."""
    X, label = eb.tensor(f"X[b,1,{SIDE},{SIDE}]"), eb.tensor("label[b]", integer=True)
    first = convolve(X, name="1", o=channels, u=3, v=3)
    pooled = pool(convolve(first, name="2", o=2 * channels, u=3, v=3))
    logits = dense(pooled, name="3", k=CLASSES)
    loss = cross_entropy(L=eb.log_softmax(logits, axis="k"), label=label)
    parameters = {p.name: p for p in loss.parameters}
    return Network(first, pooled, logits, loss, parameters, eb.grad(loss, parameters))
