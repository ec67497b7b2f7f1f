"""Write trained weights as the ONNX graph that the node runs.

python -m models.brain_structures.training.export student.pt models/brain_structures/model.onnx
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Final

import torch

from models.brain_structures.training.augment import FIELD
from models.brain_structures.training.network import Student

OPSET: Final = 17


def export(weights: Path, out: Path) -> str:
    """Export the weights and give the file's SHA-256.

    Parameters
    ----------
    weights
        What ``train`` saved.
    out
        The ONNX file: input ``image`` float32 (1, 1, 144, 160, 192), output ``logits`` float16 with 18 classes.
    """
    network = Student()
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    torch.onnx.export(
        network.eval(),
        (torch.zeros(1, 1, *FIELD),),
        str(out),
        input_names=["image"],
        output_names=["logits"],
        opset_version=OPSET,
        dynamo=False,
    )
    return hashlib.sha256(out.read_bytes()).hexdigest()


def main() -> None:
    """Export and print the digest that belongs into the manifest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    print(export(arguments.weights, arguments.out))


if __name__ == "__main__":
    main()
