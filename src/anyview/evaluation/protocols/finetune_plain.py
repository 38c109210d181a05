"""Full fine-tuning on samples as they are, for labels that crops and flips would make wrong."""

from anyview.evaluation.protocols.finetune import FineTune

PROTOCOL = FineTune("finetune-plain", views="one_view")
