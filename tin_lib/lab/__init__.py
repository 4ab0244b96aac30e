"""What notebooks show: figures, conclusions, widgets, and the processes that they start."""

from tin_lib.lab import lighter_imports as lighter_imports
