"""Making procedures in the browser: the list, one procedure, its pages and fields, and the preview of everything."""

from fastapi import APIRouter

from services.eapply.api.builder import inventory, library, overview, pages, preview, questions, translating

router = APIRouter()
for _module in (inventory, library, overview, pages, questions, translating, preview):
    router.include_router(_module.router)
