"""The bench of pictures: the default beside rivals that see the same features, on public sets.

A protocol says which pictures are learnt and judged (`protocols`), each method gives a map and a score per picture, the
rivals' maps are blurred and pooled as anodiff's own (`finish`), numbers and their bootstrap draws are taken from both
(`judge`), a run keeps them (`run`), a verdict is drawn (`verdict`), and `page` says it in markdown.
"""
