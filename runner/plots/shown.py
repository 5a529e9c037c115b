"""Pictures that a notebook shows by itself, and that a file can be made of."""

import base64
import io
import warnings
from collections.abc import Mapping
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from runner.plots.style import styled


class Pictures:
    """The pictures of a run. `figures` has matplotlib's figures by their names; a notebook shows all of them."""

    def __init__(self, figures: Mapping[str, Figure]):
        self.figures = dict(figures)

    def __repr__(self) -> str:
        return f"Pictures({', '.join(self.figures)})"

    def _repr_html_(self) -> str:
        coded = {name: base64.b64encode(png(figure)).decode() for name, figure in self.figures.items()}
        return "\n".join(f"<img alt='{name}' src='data:image/png;base64,{data}'>" for name, data in coded.items())

    def save(self, folder: str | Path) -> list[Path]:
        """Write each as NAME.png into a folder, made if need be; their paths."""
        return [save(figure, Path(folder) / f"{name}.png") for name, figure in self.figures.items()]


def png(figure: Figure) -> bytes:
    """A figure as the bytes of a PNG file."""
    with styled(), warnings.catch_warnings():
        # Names in the data may be in any script; a letter without a glyph is drawn as a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        held = io.BytesIO()
        # Not savefig: it would lay out and draw everything twice.
        # Level 3 packs nearly as small as the usual 6, twice as fast.
        FigureCanvasAgg(figure).print_png(held, metadata={"Software": None}, pil_kwargs={"compress_level": 3})
    return held.getvalue()


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as a PNG, in one go."""
    data = png(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
