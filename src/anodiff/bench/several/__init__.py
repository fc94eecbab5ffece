"""The bench of several kinds of data at once: the whole record beside each of its parts alone, on the same detector.

Photos with the text of what should hold (`photos`), and boards with their templates (`boards`). Intervals draw photos
or boards anew, not records, since records of one photo resemble each other.
"""
