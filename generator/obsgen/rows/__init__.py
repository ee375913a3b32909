"""Every output file, described once: for each `output` of the grammar, the table of its rows."""

from collections.abc import Mapping

from . import common, compose, dlq, grafana, logging, monitoring, operator
from .row import Row

TABLES: Mapping[str, tuple[Row, ...]] = {
    "kubernetes": (*logging.ROWS, *monitoring.ROWS, *grafana.ROWS, *dlq.ROWS, *common.ROWS, *common.KUBERNETES),
    "operator": (*logging.ROWS, *operator.ROWS, *grafana.ROWS, *dlq.ROWS, *common.ROWS, *common.KUBERNETES),
    "compose": (*compose.ROWS, *common.ROWS),
}
