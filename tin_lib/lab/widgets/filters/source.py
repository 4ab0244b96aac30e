"""What the filter browsers read: the layers of a run's networks, and the images shown to them."""

from tin_lib import catalog
from tin_lib.analysis import errors, filters, runs
from tin_lib.analysis.filters.store import FilterStore
from tin_lib.data import TinyImageNet
from tin_lib.lab.widgets.filters.layer import Layer


class Source:
    """The filters of a run's networks.

    ``images``: number of val images shown to a network. ``steps``: updates of each maximising
    image. Results are kept in RUN/filters/browser.
    """

    def __init__(self, run: runs.Run, data: TinyImageNet, images: int, steps: int) -> None:
        self.val = data.val.select(filters.evenly_spread(len(data.val), images))
        names = errors.short_names(run.first.class_ids, run.first.class_names)
        self.class_names = list(names.values())
        folder = run.path / "filters" / "browser"
        stores = {
            name: FilterStore(
                fit, filters.images_of_split(self.val, fit.mean, fit.std), steps, folder
            )
            for name, fit in run.fits.items()
        }
        # The first network is the one shown at first: one with filters, if there is any.
        first = next((name for name, store in stores.items() if store.layers), next(iter(stores)))
        self.stores = {first: stores[first]} | stores
        self.titles = {name: {"title": catalog.title(name)} for name in self.stores}
        self.known: dict[tuple[str, str], Layer] = {}

    def layer(self, network: str, name: str) -> Layer:
        """Return one layer of one network."""
        if (network, name) not in self.known:
            found = Layer(self.stores[network], name, self.val, self.class_names)
            self.known[network, name] = found
        return self.known[network, name]
