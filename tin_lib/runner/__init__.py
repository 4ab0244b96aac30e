"""Runs the workbook: ``commands`` (the command line), ``jobs`` (processes, clusters, sweeps),
``workbook`` (the notebooks as a graph), ``report`` (its HTML), ``study`` (all of it in order).
"""
