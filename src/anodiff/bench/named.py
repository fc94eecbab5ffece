"""Rivals that the user names: `pyod.models.hbos.HBOS`, `sklearn.svm.OneClassSVM(nu=0.1)`, `anodiff:dte-c`.

Settings are literals; nothing is evaluated. PyOD's scores are higher for anomalies, scikit-learn's are lower.
"""

import ast
import importlib
import inspect
import re
from typing import Any

from anodiff.bench.rivals import ABOUT, RIVALS, Estimator, Pyod, Rival
from anodiff.types import Misfit


def names(text: str) -> list[str]:
    """Rivals from what the user typed: commas inside of brackets are the rival's own; `all` and `none` are known.

    >>> names("knn,pyod.models.knn.KNN(n_neighbors=3, method='mean')")
    ['knn', "pyod.models.knn.KNN(n_neighbors=3, method='mean')"]
    """
    if text in ("all", "none"):
        return list(ABOUT) if text == "all" else []
    found = list(dict.fromkeys(part.strip() for part in _outside_brackets(text) if part.strip()))
    if not found:
        raise Misfit(f"--rivals {text!r} names none; give names with commas between, all, or none.")
    return found


def _outside_brackets(text: str) -> list[str]:
    """The text between those commas that are in no bracket."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def check(name: str) -> None:
    """Refuse a rival that cannot be had.

    Raises:
        Misfit: there is no such rival, module or class, or it is no outlier estimator.

    >>> check("sklearn.svm.OneClassSVN")
    Traceback (most recent call last):
    ...
    anodiff.types.Misfit: module sklearn.svm has no class OneClassSVN; check the rival's name.
    """
    recipe = recipe_of(name)
    if recipe is not None:
        from anodiff.recipes.schema import recipe as known

        known(recipe)
    elif name not in RIVALS:
        rival(name, 0)


def recipe_of(name: str) -> str | None:
    """The recipe of anodiff that is meant, None for other rivals.

    >>> recipe_of("anodiff:dte-c"), recipe_of("knn")
    ('dte-c', None)
    """
    if name == "dte-np":
        return name
    return name.removeprefix("anodiff:") if name.startswith("anodiff:") else None


def rival(name: str, seed: int) -> Rival:
    """A rival, not fitted. `seed` is given to what has a random_state of its own.

    Raises:
        Misfit: there is no such rival, module or class, or it is no outlier estimator.
    """
    if name in RIVALS:
        return RIVALS[name](seed)
    path, settings = parsed(name)
    kind = _class(path, name)
    if "random_state" in inspect.signature(kind).parameters:
        settings = {"random_state": seed, **settings}
    if "novelty" in inspect.signature(kind).parameters:
        settings = {"novelty": True, **settings}
    try:
        model = kind(**settings)
    except Exception as error:
        raise Misfit(f"rival {name}: {' '.join(str(error).split())}") from None
    return Pyod(model) if _of_pyod(kind) else Estimator(model, seed=seed)


def parsed(text: str) -> tuple[str, dict[str, Any]]:
    """The path of a class, and its settings.

    >>> parsed("sklearn.svm.OneClassSVM(nu=0.1)")
    ('sklearn.svm.OneClassSVM', {'nu': 0.1})
    """
    try:
        tree = ast.parse(text, mode="eval").body
        call = tree if isinstance(tree, ast.Call) else ast.Call(tree, [], [])
        path = ast.unparse(call.func)
        settings = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
    except (SyntaxError, ValueError):
        raise Misfit(f"cannot read the rival {text!r}; write package.module.Class(name=value).") from None
    if call.args or "None" in settings or not re.fullmatch(r"\w+(\.\w+)*", path):
        raise Misfit(f"cannot read the rival {text!r}; write package.module.Class(name=value).")
    if "." not in path:
        raise Misfit(f"there is no rival {text!r}; choose of {', '.join(ABOUT)}, or write package.module.Class.")
    return path, settings


def _class(path: str, name: str) -> type:
    module, _, kind = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), kind)
    except ImportError as error:
        raise Misfit(f"rival {name}: there is no module {module} here ({error}); install it or check it.") from None
    except AttributeError:
        raise Misfit(f"module {module} has no class {kind}; check the rival's name.") from None
    if not isinstance(found, type) or not (_of_pyod(found) or _of_sklearn(found)):
        raise Misfit(f"{path} is no outlier estimator: neither PyOD's nor one with fit and score_samples.")
    return found


def _of_pyod(kind: type) -> bool:
    return hasattr(kind, "decision_function") and any(base.__module__.startswith("pyod.") for base in kind.__mro__)


def _of_sklearn(kind: type) -> bool:
    """LocalOutlierFactor has its method only once it is told to judge new rows."""
    return hasattr(kind, "fit") and (hasattr(kind, "score_samples") or kind.__name__ == "LocalOutlierFactor")
