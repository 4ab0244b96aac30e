"""The controls of the saliency browser."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from tin_lib import catalog
from tin_lib.analysis.saliency import METHODS
from tin_lib.lab.formatting import method_title
from tin_lib.lab.widgets.base import WIDE, checkbox, combobox, dropdown, find, group
from tin_lib.lab.widgets.saliency.view import SHOWS, View


class SaliencyControls(widgets.VBox):
    """Controls that choose a view. ``class_names``: class id -> name; ``boxes``: whether the images
    have boxes."""

    def __init__(
        self, networks: Sequence[str], class_names: Mapping[str, str], boxes: bool = True
    ) -> None:
        self.names = dict(class_names)
        self.method_names = list(METHODS)
        self.label = combobox("class", list(self.names.values()), "images of this class")
        tip = "images that a chosen network predicts as this class"
        self.predicted = combobox("predicted as", list(self.names.values()), tip)
        options = [(text, key) for key, text in SHOWS.items()]
        self.show = dropdown("show", options, "which of the images")
        self.place = widgets.IntSlider(
            1, 1, 1, description="image", tooltip="which image; arrow keys step", style=WIDE
        )
        self.networks = {
            name: checkbox(catalog.title(name), True, f"show maps of {catalog.title(name)}")
            for name in networks
        }
        self.methods = {
            name: checkbox(method_title(name), False, f"show maps by {method_title(name)}")
            for name in self.method_names
        }
        self.box = checkbox("object's box", True, "outline the object's bounding box")
        self.box.layout.display = None if boxes else "none"
        self.overlay = widgets.FloatSlider(
            0.5,
            min=0,
            max=1,
            step=0.05,
            description="overlay",
            tooltip="strength of the map laid over the image",
            style=WIDE,
        )
        self.quiet = False
        super().__init__(self._arranged())

    def _arranged(self) -> list[widgets.Widget]:
        groups = [
            group("networks", list(self.networks.values())),
            group("methods", list(self.methods.values())),
        ]
        image = [self.label, self.predicted, self.show, self.place]
        maps = widgets.HBox(groups, layout=widgets.Layout(grid_gap="24px"))
        return [*image, maps, self.overlay, self.box]

    def on_change(self, call: Callable[[View], None]) -> None:
        """Call back with the new view when a person changes it, except for the image."""

        def changed(change: Any) -> None:
            if not self.quiet:
                call(self.chosen())

        ticks = [*self.networks.values(), *self.methods.values()]
        for control in (self.label, self.predicted, self.show, self.box, self.overlay, *ticks):
            control.observe(changed, "value")

    def on_step(self, call: Callable[[int], None]) -> None:
        """Call back with the image's index (from 0) when a person moves the slider."""

        def changed(change: Any) -> None:
            if not self.quiet:
                call(change.new - 1)

        self.place.observe(changed, "value")

    def chosen(self) -> View:
        """Return the view of the controls; a text that names no class means any class."""
        return View(
            label=find(self.label.value, self.names),
            predicted=find(self.predicted.value, self.names),
            show=self.show.value,
            networks=tuple(name for name, tick in self.networks.items() if tick.value),
            methods=tuple(name for name, tick in self.methods.items() if tick.value),
            box=self.box.value,
            overlay=self.overlay.value,
        )

    def put(self, view: View) -> None:
        """Set the controls to a view without calling back."""
        self.quiet = True
        self.label.value = self.names.get(view.label, "")
        self.predicted.value = self.names.get(view.predicted, "")
        self.show.value, self.box.value, self.overlay.value = view.show, view.box, view.overlay
        for name, tick in self.networks.items():
            tick.value = name in view.networks
        for name, tick in self.methods.items():
            tick.value = name in view.methods
        self.quiet = False

    def set_position(self, index: int, count: int) -> None:
        """Set the slider to image ``index`` of ``count``."""
        self.quiet = True  # a smaller maximum may change the value
        self.place.disabled = count == 0
        self.place.max, self.place.value = max(count, 1), index + 1
        self.quiet = False
