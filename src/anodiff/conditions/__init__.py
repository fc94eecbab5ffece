"""What a denoiser may know besides x: past, mask, calendar, entity, label."""

from anodiff.conditions.base import Condition
from anodiff.conditions.calendar import Calendar
from anodiff.conditions.entity import Entity
from anodiff.conditions.label import Label
from anodiff.conditions.mask import Mask
from anodiff.conditions.past import Past

CONDITIONS: dict[str, type[Condition]] = {
    "past": Past,
    "mask": Mask,
    "calendar": Calendar,
    "entity": Entity,
    "label": Label,
}
