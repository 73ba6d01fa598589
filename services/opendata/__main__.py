"""python -m services.opendata api | listen | work | migrate"""

from libs.common import roles
from libs.common.roles import Deployable

deployable = Deployable("opendata", "services.opendata")

if __name__ == "__main__":
    roles.main(deployable)
