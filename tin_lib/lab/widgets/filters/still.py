"""What the filter browser shows of a filter, as HTML without scripts."""

import numpy as np

from tin_lib.lab.widgets import module
from tin_lib.lab.widgets.filters.layer import SIZE, FilterCard


def still(card: FilterCard) -> str:
    """Return a card as HTML for executed notebooks."""
    heads = {"maximising image": card.optimised, "kernel (gray: zero)": card.kernel}
    top = [module.still_tile(name, made, 192) for name, made in heads.items() if made is not None]
    if not card.surveyed:
        top.append("<p>Its figures and images were not computed yet when this was saved.</p>")
    top.append(module.still_lines(card.figures))
    if card.classes:
        lines = [f"{times:.1f} {name}" for name, times in card.classes]
        top.append(f"<div>Preferred classes (mean activation: 1){module.still_lines(lines)}</div>")
    parts = [f"<h4>{module.text(card.title)}</h4>", module.still_row(top)]
    boxes = None
    if card.patches is not None and card.boxes is not None:
        parts.append("<h5>Highest activations: the receptive fields</h5>")
        parts.append(module.still_row(module.still_tile("", patch) for patch in card.patches))
        boxes = np.clip(card.boxes, 0, SIZE - 1).tolist()
    if len(card.images):
        whole = "Highest activations; the receptive field is the image"
        parts.append(f"<h5>{whole if boxes is None else 'Their images'}</h5>")
        tiles = [
            module.still_tile(f"{caption} ({file})", image, box=box)
            for (caption, file), image, box in zip(
                card.captions, card.images, boxes or [None] * len(card.images)
            )
        ]
        parts.append(module.still_row(tiles))
    return f'<div class="tin-still">{"".join(parts)}</div>'
