"""The notebooks as one graph, run in order or side by side, and one report of them.

``plan`` reads ``notebooks/workbook.yaml``, ``parameters`` checks what is asked for, ``runner``
orders and runs the steps through an ``executor``, each in a process of its own (``step``),
``stamps`` remembers what is up to date, ``results`` collects the figures, ``report`` writes HTML.
"""
