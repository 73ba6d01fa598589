"""Staff's desk: the queue, a case, and the steps of the law. Only for staff of the path's municipality."""

from fastapi import APIRouter

from services.eapply.api.desk import (
    after,
    case,
    certificates,
    correction,
    deciding,
    handling,
    money,
    my_numbers,
    office,
    paper,
    posting,
    queue,
    visits,
)

router = APIRouter()
for _module in (
    queue,
    correction,
    deciding,
    case,
    paper,
    visits,
    posting,
    money,
    after,
    certificates,
    handling,
    office,
    my_numbers,
):
    router.include_router(_module.router)
