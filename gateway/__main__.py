"""The gateway.

python -m gateway api                                     serve people, and services on the internal port
python -m gateway migrate                                 bring the database to the tables this code knows
python -m gateway check-providers                         what is wrong with the sign-in providers; 1 if anything is
python -m gateway doctor                                  look at everything that real use needs
python -m gateway first-operator --email … [--name …]     make the person who will run the cloud; prints id and link
python -m gateway nginx [--listen …]                      print the configuration of an nginx that asks the door
python -m gateway sample-people                            accounts of the sample; JSON in, ids out:
                                                           [["address", "name", "password"], …] → ["id", …]
"""

import argparse
import json
import sys

from gateway.oidc.providers import BadProviders
from gateway.settings import Settings


def main(arguments: list[str]) -> None:
    options = _parser().parse_args(arguments)
    try:
        run(options, Settings())
    except BadProviders as error:
        sys.exit(f"OIDC_PROVIDERS: {error}")


def run(options: argparse.Namespace, settings: Settings) -> None:
    match options.command:
        case "api":
            from gateway import serve

            serve.run(settings)
        case "migrate":
            from libs.common.migrate import migrate

            migrate(settings, "gateway", "gateway")
        case "check-providers":
            from gateway import commands

            sys.exit(commands.check_providers(settings))
        case "doctor":
            from gateway import commands

            sys.exit(commands.doctor(settings))
        case "first-operator":
            from gateway import commands

            print(json.dumps(commands.first_operator(settings, options.email, options.name), ensure_ascii=False))
        case "nginx":
            from gateway import nginx

            print(nginx.config(settings, options.listen), end="")
        case "sample-people":
            from gateway import commands

            people = [(email, name, password) for email, name, password in json.load(sys.stdin)]
            print(json.dumps(commands.sample_people(settings, people)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m gateway", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("api")
    commands.add_parser("migrate")
    commands.add_parser("check-providers")
    commands.add_parser("doctor")
    operator = commands.add_parser("first-operator")
    operator.add_argument("--email", required=True)
    operator.add_argument("--name", default="運用担当")
    commands.add_parser("nginx").add_argument("--listen", default="80", help="address and port nginx listens on")
    commands.add_parser("sample-people")
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
