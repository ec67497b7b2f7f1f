"""Label heads by the teacher; keep them as ``NAME.npz`` with ``image`` and ``labels``, uint8, 256³, LIA, 1 mm.

python -m models.brain_structures.training.prepare --teacher model18cls_labels.onnx --out heads NAME=PATH[@PERCENTILE]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from models.brain_structures.training.heads import conform, open_volume
from models.brain_structures.training.teacher import Teacher


def main() -> None:
    """Label every head that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("heads", nargs="+", metavar="NAME=PATH[@PERCENTILE]")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    teacher = Teacher(arguments.teacher)
    for head in arguments.heads:
        name, _, rest = head.partition("=")
        path, _, percentile = rest.partition("@")
        image = conform(*open_volume(Path(path)), clip_percentile=float(percentile or 99.9))
        labels = teacher.label(image)
        np.savez_compressed(arguments.out / f"{name}.npz", image=image, labels=labels)
        volumes_ml = np.bincount(labels.ravel(), minlength=18)[1:] / 1000
        print(f"{name}: {volumes_ml.sum():.0f} mL;", " ".join(f"{ml:.1f}" for ml in volumes_ml), flush=True)


if __name__ == "__main__":
    main()
