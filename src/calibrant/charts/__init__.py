"""From evidence to pictures and the report page: one grammar for notebook, file, command line and web.

Card
----
Lives here: Vega-Lite specs of every picture, their drawing to SVG and PNG, and the report page. Comes in: evidence
as data. Goes out: ``Chart`` (a spec with its alternative text and its table) and HTML. Never: computing a
statistic, reading a file, the network.

>>> from calibrant import charts
>>> charts.show  # doctest: +ELLIPSIS
<function show at ...>
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from calibrant.charts import chart
    from calibrant.evidence import reliability


def show(found: reliability.Reliability, *, title: str = "Reliability diagram") -> chart.Chart:
    """The reliability diagram as a Chart, which a notebook draws by itself."""
    from calibrant.charts import diagram  # the drawing room opens when something is drawn

    return diagram.draw(found, title=title)
