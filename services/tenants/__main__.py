"""python -m services.tenants api | listen | work | migrate
python -m services.tenants load                                            the municipalities of PREFECTURE, into an empty registry
python -m services.tenants appoint --person <id> --role operator|council.member   a role for the whole cloud
python -m services.tenants appoint --person <id> --role portal.admin --code 402036   a role for one municipality
python -m services.tenants take-in FILE.zip                                 everything a municipality took away from another installation
python -m services.tenants verify-deletion FILE.json                        whether a record of a deletion is as it was signed
"""

import argparse
import sys
from pathlib import Path

from libs.common import roles
from libs.common.roles import Deployable

deployable = Deployable("tenants", "services.tenants")


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["load"]:
        from services.tenants import commands

        print(commands.load(deployable.build()))
    elif arguments[:1] == ["appoint"]:
        from services.tenants import commands

        options = _appointment(arguments[1:])
        print(commands.appoint(deployable.build(), options.person, options.role, options.code))
    elif arguments[:1] == ["take-in"]:
        from services.tenants import commands

        print(commands.take_in(deployable.build(), Path(arguments[1])))
    elif arguments[:1] == ["verify-deletion"]:
        from services.tenants import commands

        print(commands.verify_deletion(deployable.build(), Path(arguments[1])))
    else:
        roles.main(deployable, arguments)


def _appointment(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m services.tenants appoint")
    parser.add_argument("--person", required=True, help="the id that the gateway gave this person")
    parser.add_argument("--role", required=True)
    parser.add_argument("--code", help="団体コード of the municipality; leave out for the council and operators")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
