"""Is A really better than B? What the runs of a sweep prove about its settings.

`intervals` and `best` are statistics over arrays, `matched` makes the arrays of a table of runs, `verdict` puts them
together.
"""
