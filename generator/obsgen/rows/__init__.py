"""Every output file, described once: for each `output` of the grammar, the table of its rows."""

from collections.abc import Mapping

from . import common, dlq, logging, monitoring, operator
from .row import Row

TABLES: Mapping[str, tuple[Row, ...]] = {
    "kubernetes": (*logging.ROWS, *monitoring.ROWS, *dlq.ROWS, *common.ROWS, *common.KUBERNETES),
    "operator": (*logging.ROWS, *operator.ROWS, *dlq.ROWS, *common.ROWS, *common.KUBERNETES),
}
