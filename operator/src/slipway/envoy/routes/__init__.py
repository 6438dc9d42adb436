"""The route file: which path of the users' listener goes where, and how it is shared out."""

from slipway.envoy.routes.route_file import FORWARDED_STAT, route_file

__all__ = ["FORWARDED_STAT", "route_file"]
