"""python -m services.ebid api | listen | work | migrate"""

from libs.common import roles
from libs.common.roles import Deployable

deployable = Deployable("ebid", "services.ebid")

if __name__ == "__main__":
    roles.main(deployable)
