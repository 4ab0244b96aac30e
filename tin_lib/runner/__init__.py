"""Running the workbook and sweeps: ``commands`` (the command line), ``jobs`` (processes, clusters, sweeps),
``workbook`` (the notebooks as a graph), ``report`` (its HTML), ``study`` (all of it in order).
"""
