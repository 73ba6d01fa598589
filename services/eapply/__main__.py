"""python -m services.eapply api | listen | work | migrate"""

from libs.common import roles
from libs.common.roles import Deployable

deployable = Deployable("eapply", "services.eapply")

if __name__ == "__main__":
    roles.main(deployable)
