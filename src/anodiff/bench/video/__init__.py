"""The bench of video: the default beside cheap rivals, on public sets, frame by frame and pixel by pixel.

Each method is fitted on the normal clips and gives a score and a map per frame (`rivals`, `ours`); the scores of the
rivals are smoothed over time as anodiff's own are, and stand there without that too. Nothing is scaled per clip.
"""
