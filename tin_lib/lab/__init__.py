"""What notebooks show: figures, conclusions, widgets, and the processes that they start."""

from tin_lib.lab import interrupted_cells as interrupted_cells
from tin_lib.lab import lighter_imports as lighter_imports
