"""The way of the data, pure: no I/O, no clock, no chance. Read it in this order:

definition  what a person describes               checks    what is wrong with it
plan        which input item is the i-th of N     items     what a collection's items are
request     from values to one request
verdict     what an answer means                  paging    how one page leads to the next
segment     how answers are stored                shard     what became of a shard's items
rows        from answers to row parts             filters   which objects are kept
table       from parts to tables                  files     from tables to files
recipe      how files are to be made              execution the states, and the moves between them

`bodies` reads JSON exactly, `paths` finds values in it, `masking` keeps secrets out of what is shown.
"""
