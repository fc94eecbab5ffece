"""The bench: proof against the cheap baseline.

A protocol says how a set is cut, rivals and anodiff are judged on the same cut, records are kept as files, and a
verdict with an interval is drawn from them. Facts first (`verdict`), words and pictures after.
"""
