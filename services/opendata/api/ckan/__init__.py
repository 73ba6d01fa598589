"""CKAN's Action API v3, for clients and harvesters that know nothing of us. Shapes, errors and quirks are those of CKAN 2.12."""

from services.opendata.api.ckan.routes import router

__all__ = ["router"]
