"""The wide mixture: what photographs show beyond the first mixture's rooms, table tops and gardens."""

from __future__ import annotations

from . import interiors, landscapes, stilllife, streets
from .builder import SceneBuilder

# layout, kind (index into scenes.KINDS), weight
LAYOUTS = (
    (stilllife.meal, 1, 10), (stilllife.heap, 1, 4), (stilllife.portrait, 1, 7), (lambda b: stilllife.portrait(b, True), 1, 6),
    (stilllife.pets, 1, 8), (landscapes.macro, 2, 6), (landscapes.landscape, 2, 9), (landscapes.forest, 2, 6), (streets.town, 2, 10),
    (streets.vehicle, 2, 6), (streets.masonry, 2, 7), (interiors.kitchen, 0, 5), (interiors.bathroom, 0, 3), (interiors.corridor, 0, 4),
    (interiors.hall, 0, 4), (interiors.stairs, 0, 3), (interiors.library, 0, 4))


def compose_wide(b: SceneBuilder) -> int:
    """Draws one of the layouts into the builder and returns its kind."""
    draw = b.rng.random() * sum(weight for _, _, weight in LAYOUTS)
    for layout, kind, weight in LAYOUTS:
        draw -= weight
        if draw < 0:
            break
    layout(b)
    return kind
