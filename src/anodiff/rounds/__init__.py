"""Rounds of the cycle: what is learnt from, what is measured on, who the rivals are, and what a round found."""
