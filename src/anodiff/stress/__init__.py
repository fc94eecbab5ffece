r"""Which anomalies does a detector miss? They are made to order, and its curve of detectability is drawn,

.. math:: \lambda \mapsto \text{AUROC}\big(a(x'_\lambda), a(x)\big), \quad \lambda \mapsto P\big(a(x'_\lambda) > t\big),

of each kind and size, x' made at the strength :math:`\lambda`, x normals that were held out, t the threshold at the
rate of false alarms. The detector may be anybody's: all that is asked for is a score. What it misses here it misses
among *made* anomalies; real ones may differ.
"""

from anodiff.stress.curve import Cell, Spot, StressCurve
from anodiff.stress.run import STRENGTHS, scorer, stress

__all__ = ["STRENGTHS", "Cell", "Spot", "StressCurve", "scorer", "stress"]
