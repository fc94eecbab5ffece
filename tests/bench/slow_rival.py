"""Rivals that the tests name: one that does not end, one that kills its process."""

import os
import time


class Slow:
    def fit(self, X):
        time.sleep(60)

    def score_samples(self, X):
        return X[:, 0]


class Deadly:
    def fit(self, X):
        os._exit(9)

    def score_samples(self, X):
        return X[:, 0]
