"""The bench of series: the default beside cheap rivals under the same smoothing, on public sets.

A protocol says which series it takes and what is asked of each (`protocols`), a run keeps a record of every method on
every series (`run`), a verdict is drawn from them (`verdict`, and `tallies` where events or seconds are counted), and
`page` says it in markdown.
"""
