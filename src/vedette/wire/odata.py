"""
OData, as far as incidents are listed by it, in both directions: the client writes a
`$filter` (`narrow`), the service reads one (`parse`), and its `$orderby` (`order`).
"""

from vedette.wire.bounds import narrow
from vedette.wire.filters import Filter, order, parse

__all__ = ["Filter", "narrow", "order", "parse"]
