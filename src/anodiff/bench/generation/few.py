"""A generator that is trained once on normal pictures, and then meets known defects again and again."""

import copy

from anodiff.bench.generation.arms import Given
from anodiff.generate import Generator
from anodiff.generate_images import ImageGenerator
from anodiff.workshop.pictures.known_pictures import known_pictures
from anodiff.workshop.pictures.painted import meet, steps


def met(generator: Generator, given: Given) -> Generator:
    """The same generator as if it had been fitted with these known defects; without any, itself."""
    if not len(given.known):
        return generator
    inner: ImageGenerator = copy.copy(generator.inner_)
    known = known_pictures(list(given.known), list(given.masks), given.kinds, inner.image_, inner.glance_, inner.kept_)
    inner.examples_, inner.friend_ = known, None
    if inner.studio_.fewshot == "adapt":
        training = steps("examples", meet(inner.studio_, inner.painter_, known, inner.seed))
        while True:
            try:
                next(training)
            except StopIteration as done:
                inner.friend_ = done.value
                break
    return Generator(**generator.get_params(deep=False)).hold("image", inner)
