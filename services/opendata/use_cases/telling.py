"""Which of our events other systems of a municipality may ask to be told (libs/common/webhooks), and what they are called."""

from libs.common.errors import say
from services.opendata import events

TOLD = {
    events.DatasetPublished.type: say("データセットを公開・更新した"),
    events.DatasetWithdrawn.type: say("データセットの公開を取りやめた"),
}
