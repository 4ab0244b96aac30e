"""Plotly figures: a table or an array in, a figure out; one module a topic."""
