"""The way of the data, pure: no I/O, no clock, no chance.

definition -> plan -> request -> (fetch) -> verdict, paging -> segment -> rows -> table -> writers
"""
