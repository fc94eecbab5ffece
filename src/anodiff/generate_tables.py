"""The generator of tables: normal rows in; rows out that are abnormal in some cells, to order, or new normal ones."""

import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import torch
from scipy.spatial.distance import cdist
from scipy.special import ndtri

from anodiff.anomalies.cells import EXAMPLES, PLACES, dependence_of, given
from anodiff.anomalies.judge import Judge
from anodiff.anomalies.strength import FARTHEST
from anodiff.anomalies.table_kinds import KINDS, Like, TableKind
from anodiff.data.readers import sample
from anodiff.data.table import Table
from anodiff.detect_tables import TableDetector
from anodiff.diffusion.infilling import Infilling
from anodiff.made import NORMAL, Judgement, Made, Order, one_of_these
from anodiff.modalities.ranked import Ranked
from anodiff.modalities.tabular import Tabular
from anodiff.prepare import chosen_modality
from anodiff.recipes.grow import Progress
from anodiff.recipes.schema import bibtex
from anodiff.settings import GeneratorSettings
from anodiff.training import Step
from anodiff.types import JSON, BadModel, Misfit, Unreadable
from anodiff.workshop.rows.examples import Examples, check_new, examples_of
from anodiff.workshop.rows.judged import closeness, verdicts, verdicts_of_normals
from anodiff.workshop.rows.laid import like_source, matched, packed, stacked, unpacked, whole_rows
from anodiff.workshop.rows.made import rows_learnt, rows_revived
from anodiff.workshop.rows.placed import Places, check_may
from anodiff.workshop.rows.scored import JUDGE, for_tables, parted
from anodiff.workshop.rows.sought import STEPS, Found, Standing, Workshop

SETTINGS: JSON = {"missing": "keep", "steps": 600, "width": 128}
ROWS, LEAST = 10_000, 30
"""Rows that are learnt from at most, and that are needed."""
AT_ONCE = 256
PER_SECOND = 60
"""Training steps that a second is expected to pay for."""
CITED = ("karras2022edm", "tashiro2021csdi", "song2021ddim", "lugmayr2022repaint", "livernoche2024dte")


class TableGenerator(GeneratorSettings):
    """Makes rows to order; `Generator` says what is said of it.

    Settings are `missing`, "keep" or "fill" the gaps of new normal rows; `steps` of training; `width` of the network.

    Attributes:
        kinds_: Kinds of anomalies, by name.
        known_: Those of the examples among them.
        places_: Kinds of places, by name.
        workshop_: What rows are made with.
        examples_: Known anomalies, or None.
    """

    def fitting(self, X: Any, *, examples: Any = None, regions: Any = None, kinds: Any = None) -> Iterator[Progress]:
        """Fit, yielding progress; see `Generator.fitting`."""
        settings = checked(self.settings)
        table, _ = sample(X, ROWS, int(self.seed))
        if len(table) < LEAST:
            raise Unreadable(f"{len(table)} rows are too few to make others like them; give at least {LEAST}.")
        steps = min(settings["steps"], 200 + len(table))
        if self.max_seconds is not None:
            steps = int(np.clip(self.max_seconds * PER_SECOND, 20, steps))
        yield Progress(0, steps, "reading")
        self._read(table)
        known = None if examples is None else self._known(examples)
        whole = self.ranked_.encode(table, np.random.default_rng(self.seed))[:, self.ranked_.usable]
        u = torch.tensor(np.nan_to_num(whole), dtype=torch.float32)
        there = torch.from_numpy(~np.isnan(whole))
        model = yield from told(rows_learnt(u, there, steps, int(self.seed), settings["width"]), steps)
        yield Progress(steps, steps, "judging")
        self._equip(model)
        self._acquaint(known, regions, kinds)

    def sample(self, order: Order) -> Made:
        """What was ordered; see `Generator.sample`."""
        began = time.perf_counter()
        made = self._normals(order) if order.kind == NORMAL else self._anomalies(order)
        facts = {"judge": "own" if self.detector is None else "given", "seconds": time.perf_counter() - began}
        return replace(made, facts={**made.facts, **facts})

    def references(self) -> str:
        """The works behind the generator, as BibTeX."""
        return bibtex(CITED)

    def _read(self, table: Table, orders: Mapping[str, list[str]] | None = None) -> None:
        """Learn the columns, and hold out rows to make anomalies on."""
        modality = chosen_modality(self.modality)
        if not isinstance(modality, Tabular):
            raise Misfit(f"modality is {self.modality!r}, which is not for tables; give 'tabular'.")
        self.modality_, self.table_ = modality.fit(table), table
        self.ranked_ = Ranked.fit(table, modality, orders)
        if not self.ranked_.usable.any():
            raise Unreadable(f"all {len(table.names)} columns are constant; there is nothing to make otherwise.")

    def _known(self, examples: Any) -> Table:
        """Examples as a table, some of which are no normal rows."""
        table, _ = matched(examples, self.modality_, "examples")
        encoded = (self.modality_.encode(rows).x.numpy() for rows in (table, self.table_))
        check_new(*encoded)
        return table

    def _equip(self, model: Infilling) -> None:
        """Set up the judge and the workshop."""
        shown, spare = parted(len(self.table_), int(self.seed))
        self.held_ = self.table_.take(spare)
        if self.detector is None:
            own = TableDetector(self.modality, JUDGE, seed=int(self.seed))
            self.judge_: Any = own.fit(self.table_.take(shown).native())
        else:
            self.judge_ = for_tables(self.detector, self.held_)
        self.standing_ = Standing(np.asarray(self.judge_.decision_scores_))
        self.held_z_ = self._z(self.held_) if len(spare) < len(self.table_) else self._own_z(shown)
        self.dependence_ = dependence_of(self.ranked_.encode(self.table_))
        self.workshop_ = Workshop(self.ranked_, model, self._z, 0.0)

    def _acquaint(self, known: Table | None, regions: Any, kinds: Any) -> None:
        """Learn what examples are, and how far strength 1 is."""
        general, several = list(KINDS), int(self.ranked_.usable.sum()) > 1
        if not several:
            general = [name for name in general if name in ("fraud", "range")]
        if not self.ranked_.numeric.any():
            general.remove("range")
        self.examples_: Examples | None = None
        if known is not None:
            filled = self.workshop_.expected
            self.examples_ = examples_of(known, self.ranked_, self._z, filled, regions, kinds, list(KINDS))
        self.workshop_ = replace(self.workshop_, farthest=self._farthest())
        self.known_ = self.examples_.names if self.examples_ else []
        self.kinds_ = [*general, *self.known_]
        self.places_ = [*PLACES, *((EXAMPLES,) if self.examples_ else ())]

    def _farthest(self) -> float:
        if self.reach == "examples" and self.examples_ is None:
            raise Misfit("reach is 'examples', but there are none; give examples=, or a p-value such as 0.0001.")
        if self.examples_ is not None and self.reach in ("auto", "examples"):
            return max(float(np.median(self.examples_.z)), float(-ndtri(self.p_value)))
        return float(-ndtri(FARTHEST if self.reach == "auto" else float(self.reach)))

    def _z(self, table: Table) -> np.ndarray:
        return self.standing_(np.asarray(self.judge_.decision_function(table), dtype=np.float64))

    def _own_z(self, shown: np.ndarray) -> np.ndarray:
        return self.standing_(np.asarray(self.judge_.decision_scores_))[np.argsort(shown)]

    def _anomalies(self, order: Order) -> Made:
        names = self._names(order)
        rows, source, on, places = self._rows(order)
        asked = None if isinstance(order.where, str) else self._asked(order, rows, source, places)
        found: list[Found] = []
        done: list[np.ndarray] = []
        for number, name in enumerate(dict.fromkeys(names)):
            mine = np.flatnonzero(np.array(names) == name)
            for start in range(0, len(mine), AT_ONCE):
                at = mine[start : start + AT_ONCE]
                some = None if asked is None else asked[at]
                found.append(self._made(order, name, rows.take(at), order.strength[at], some, [number, start]))
                done.append(at)
        back = np.argsort(np.concatenate(done))
        made = stacked([one.table for one in found]).take(back)
        region, amount, score, target = (
            np.concatenate([getattr(one, part) for one in found])[back]
            for part in ("region", "amount", "score", "target")
        )
        if asked is None:
            region = moved(region, self.ranked_.encode(rows), self.ranked_.encode(made))
        said: list[Judgement] = []
        facts: JSON = {
            "evaluations": sum(one.evaluations * len(at) for one, at in zip(found, done, strict=True)) / order.n
        }
        if order.judged:
            looks = None if self.examples_ is None else self.examples_.u
            held = (self.held_, self.held_z_)
            said, facts["two_sample"] = verdicts(
                self.workshop_,
                Judge(self.p_value),
                held,
                self.table_,
                (rows, made),
                region,
                score,
                target,
                looks,
                order.seed,
            )
        data, normal = like_source(on, source, made, region, places)
        where = ["given" if asked is not None else self._place(order, name) for name in names]
        shown = np.zeros_like(region)
        shown[:, places] = region
        return Made(data, shown, normal, names, where, order.strength, amount, score, source, said, facts)

    def _made(
        self, order: Order, name: str, rows: Table, strength: np.ndarray, asked: np.ndarray | None, numbers: list[int]
    ) -> Found:
        """Rows of one kind."""
        seeds = [order.seed, *numbers]
        usable = self.ranked_.numeric if name == "range" else self.ranked_.usable
        may = (~np.isnan(self.ranked_.encode(rows)) if asked is None else asked) & usable
        shape = KINDS.get(name)
        which = np.zeros(len(rows), int)
        if shape is None and self.examples_ is not None:
            which = self.examples_.drawn(name, order.like, len(rows), np.random.default_rng(seeds))
            may &= ~np.isnan(self.examples_.u[which])
        cluster = np.arange(len(rows)) // (1 if shape is None else shape.shared)
        place = self._place(order, name)
        check_may(may, name, self.ranked_.usable, asked, place)
        places = Places(
            may,
            self.dependence_,
            seeds,
            asked is not None,
            self.examples_.region[which] if place == EXAMPLES and self.examples_ is not None else None,
            place,
            order.size,
            (2, 3) if shape is None else shape.cells,
            None if shape is None or shape.shared == 1 else cluster,
        )

        def kind(at: np.ndarray) -> TableKind:
            if shape is not None or self.examples_ is None:
                return KINDS[name]
            return Like(self.workshop_.tensor(self.examples_.u[which[at]]))

        seed = int(np.random.SeedSequence(seeds).generate_state(1)[0])
        return self.workshop_.sought(kind, rows, places, strength, cluster, seed)

    def _normals(self, order: Order) -> Made:
        """New rows from nothing."""
        if order.on is not None or not (isinstance(order.where, str) and order.where == "auto"):
            raise Misfit("kind is 'normal', which is made from nothing; leave on and where out.")
        rng = np.random.default_rng([order.seed, 7])
        ground = self.table_.take(rng.integers(len(self.table_), size=order.n))
        every = np.broadcast_to(self.ranked_.usable, (order.n, len(self.ranked_.columns)))
        old = self.ranked_.encode(self.table_)
        parts = []
        for start in range(0, order.n, AT_ONCE):
            some = np.arange(start, min(start + AT_ONCE, order.n))
            parts.append(self.workshop_.normal(ground.take(some), every[some], order.seed + start))
        made = stacked(parts)
        if checked(self.settings)["missing"] == "keep" and np.isnan(old[:, self.ranked_.usable]).any():
            alike = cdist(np.nan_to_num(self.ranked_.encode(made)), np.nan_to_num(old)).argmin(1)
            made = self.ranked_.blanked(made, np.isnan(old[alike]) & self.ranked_.usable)
        z = self._z(made)
        said: list[Judgement] = []
        facts: JSON = {"nearest": closeness(old, self.ranked_.encode(made)), "evaluations": STEPS + 1}
        if order.judged:
            held = (self.held_, self.held_z_)
            said, facts["two_sample"] = verdicts_of_normals(
                self.workshop_, Judge(self.p_value), held, self.table_, made, z, order.seed
            )
        none, blank = np.zeros(every.shape, bool), np.zeros(order.n)
        names, source = [NORMAL] * order.n, np.full(order.n, -1)
        data = replace(made, index=None).native()
        return Made(data, none, None, names, ["row"] * order.n, order.strength, blank, z, source, said, facts)

    def _names(self, order: Order) -> list[str]:
        """The kind of each item."""
        if order.like is not None:
            count = 0 if self.examples_ is None else len(self.examples_.kinds)
            if self.examples_ is None or order.like >= count:
                had = f"examples 0 to {count - 1} were given" if count else "no examples were given to fit"
                raise Misfit(f"like is {order.like}, but {had}; give the number of an example, or leave it out.")
            own = self.examples_.kinds[order.like]
            if order.kind not in ("auto", own):
                raise Misfit(f"like is {order.like}, an example of kind {own!r}; ask for that kind, or leave it out.")
            return [own] * order.n
        if order.kind == "auto":
            whole = isinstance(order.where, str) and order.where == "row"
            able = [name for name in self.kinds_ if not (whole and name == "cell")]
            return [able[i % len(able)] for i in range(order.n)]
        return [one_of_these("kind", order.kind, [*self.kinds_, NORMAL, "auto"], "tables")] * order.n

    def _place(self, order: Order, name: str) -> str:
        if not isinstance(order.where, str):
            return "given"
        if order.where == "auto":
            return KINDS[name].place if name in KINDS else EXAMPLES
        return one_of_these("where", order.where, [*self.places_, "auto"], "tables")

    def _rows(self, order: Order) -> tuple[Table, np.ndarray, Any, np.ndarray]:
        """Rows to make anomalies on, their numbers, what was given, and the place of each column in that."""
        if order.on is None:
            rng = np.random.default_rng([order.seed, 3])
            source = np.resize(rng.permutation(len(self.held_)), order.n)
            return self.held_.take(source), source, self.held_, np.arange(len(self.ranked_.columns))
        table, places = matched(order.on, self.modality_, "on")
        source = np.resize(whole_rows(table, self.modality_), order.n)
        return table.take(source), source, order.on, places

    def _asked(self, order: Order, rows: Table, source: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Regions as given, for each item, in the order of the columns of fit."""
        names = [rows.names[i] for i in np.argsort(places)]
        one_shape(order.where)
        n = int(source.max()) + 1 if order.on is not None and np.ndim(order.where) == 2 else order.n
        many = len(order.where) if hasattr(order.where, "__len__") else 0
        n = max(n, many) if order.on is not None else n
        region = given(order.where, order.n if many == order.n else n, names)
        return (region if len(region) == order.n else region[source])[:, places]

    def config(self) -> JSON:
        """What was learnt and is no array."""
        known = self.examples_
        return {
            "settings": {
                **checked(self.settings),
                "p_value": self.p_value,
                "reach": self.reach,
                "seed": int(self.seed),
            },
            "kinds": self.modality_.kinds if self.modality_.kinds is None else dict(self.modality_.kinds),
            "missing": self.modality_.missing,
            "orders": self.ranked_.orders(),
            "layout": {"kind": self.table_.kind, "dtype": self.table_.dtype},
            "examples": None if known is None else {"kinds": known.kinds},
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """What was learnt: the network, and the rows of fit, from which all else follows."""
        weights = {f"model.{k}": v.numpy() for k, v in self.workshop_.model.state_dict().items()}
        kept = {"rows": packed(self.table_)}
        if self.examples_ is not None:
            kept |= {"examples": packed(self.examples_.table), "regions": self.examples_.region.astype(np.float64)}
        return {**weights, **kept}

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray], detector: Any = None) -> Self:
        """The generator of which these are `config` and `arrays`.

        Where a detector of the user's was the judge, `detector` is to be given again; without it one of its own judges.

        Raises:
            BadModel: they are of none.
        """
        try:
            own = dict(config["settings"])
            named = {k: own.pop(k) for k in ("p_value", "reach", "seed")}
            made = cls(Tabular(config["kinds"], config["missing"]), detector=detector, settings=own, **named)
            made._read(unpacked(arrays["rows"], config["layout"]), config["orders"])
            state = {k[6:]: torch.from_numpy(np.array(v)) for k, v in arrays.items() if k.startswith("model.")}
            made._equip(rows_revived(state, checked(own)["width"]))
            known = config["examples"]
            examples = None if known is None else unpacked(arrays["examples"], config["layout"])
            made._acquaint(examples, *((None, None) if known is None else (arrays["regions"], known["kinds"])))
        except (LookupError, TypeError, ValueError, RuntimeError, AttributeError, pa.ArrowException) as error:
            raise BadModel(f"the generator of tables is damaged ({error}); save it again.") from None
        return made


def moved(region: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Cells of regions `(n, columns)` that hold something else now; a row of which none does keeps its region."""
    kept = region & ~((before == after) | (np.isnan(before) & np.isnan(after)))
    return np.asarray(np.where(kept.any(1, keepdims=True), kept, region))


def one_shape(region: Any) -> None:
    """Refuse regions whose rows differ in length.

    Raises:
        Misfit: they do.
    """
    try:
        np.ndim(region)
    except ValueError:
        raise Misfit("where has rows of different lengths; give True or False for each cell.") from None


def checked(given: JSON | None) -> JSON:
    """Settings, those that are not given as they usually are.

    Raises:
        Misfit: one is unknown or out of range.
    """
    unknown = sorted(set(given or {}) - SETTINGS.keys())
    if unknown:
        raise Misfit(f"settings holds {unknown[0]!r}, which tables do not have; choose of {', '.join(SETTINGS)}.")
    asked = {**SETTINGS, **(given or {})}
    if asked["missing"] not in ("keep", "fill"):
        raise Misfit(f"missing is {asked['missing']!r}; choose 'keep' or 'fill'.")
    for name in ("steps", "width"):
        if not isinstance(asked[name], int) or isinstance(asked[name], bool) or asked[name] < 1:
            raise Misfit(f"{name} is {asked[name]!r}; give a whole number of at least 1.")
    return asked


def told(learning: Generator[Step, None, Infilling], steps: int) -> Generator[Progress, None, Infilling]:
    """Yield the progress of steps; return the model that they make."""
    while True:
        try:
            step = next(learning)
        except StopIteration as end:
            model: Infilling = end.value
            return model
        yield Progress(step.number, steps, "learning")
