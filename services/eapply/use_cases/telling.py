"""Which of our events other systems of a municipality may ask to be told (libs/common/webhooks), and what they are called."""

from libs.common.errors import say
from services.eapply import events

TOLD = {
    events.ApplicationSubmitted.type: say("申請が届いた"),
    events.CorrectionRequested.type: say("補正を求めた"),
    events.ApplicationCorrected.type: say("補正が届いた"),
    events.ApplicationCosigned.type: say("連署がそろった"),
    events.ApplicationDecided.type: say("結果を決めた"),
    events.ApplicationWithdrawn.type: say("申請が取り下げられた"),
}
