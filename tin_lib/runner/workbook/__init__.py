"""The notebooks as one graph of steps.

``spec`` reads workbook.yaml (numbers by ``literals``), ``parameters`` checks what is given,
``graph`` orders the steps and runs each in a separate process (``step``), ``state`` records what
is up to date, ``same_data`` refuses to mix data sets, ``own_networks`` passes on a user's networks.
"""
