"""How a denoiser of normal data tells abnormal from normal; one mechanism, one file."""

from anodiff.scores.base import AnomalyScore
from anodiff.scores.closest import Closest
from anodiff.scores.cold import ColdResidual, ColdWalk
from anodiff.scores.combine import Hybrid
from anodiff.scores.departure import Departure
from anodiff.scores.dynamic import Dynamic
from anodiff.scores.guided import Guided
from anodiff.scores.implicit import Implicit
from anodiff.scores.improbable import Improbable
from anodiff.scores.imputation import Imputation
from anodiff.scores.leaning import Leaning
from anodiff.scores.likelihood import DenoisingBound, FlowLikelihood
from anodiff.scores.likeness import Likeness
from anodiff.scores.profiles import Profiles
from anodiff.scores.reconstruction import Reconstruction, Residual
from anodiff.scores.segmented import Segmented
from anodiff.scores.stein import SteinNorm
from anodiff.scores.stitched import Stitched
from anodiff.scores.time import CategoricalTime, InverseGammaTime, NonParametricTime

SCORES: dict[str, type[AnomalyScore]] = {
    "residual": Residual,
    "reconstruction": Reconstruction,
    "likelihood": FlowLikelihood,
    "improbable": Improbable,
    "closest": Closest,
    "bound": DenoisingBound,
    "stein": SteinNorm,
    "categorical_time": CategoricalTime,
    "inverse_gamma_time": InverseGammaTime,
    "nonparametric_time": NonParametricTime,
    "imputation": Imputation,
    "guided": Guided,
    "dynamic": Dynamic,
    "stitched": Stitched,
    "implicit": Implicit,
    "segmented": Segmented,
    "cold": ColdResidual,
    "cold_walk": ColdWalk,
    "departure": Departure,
    "likeness": Likeness,
    "leaning": Leaning,
    "profiles": Profiles,
    "hybrid": Hybrid,
}
