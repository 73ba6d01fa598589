"""A kind of import contract that import-linter does not bring: modules that may import only what is listed.

Named in pyproject.toml under `contract_types`. The standard library is always allowed.
"""

import sys

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.domain.helpers import module_expressions_to_modules
from importlinter.domain.imports import ModuleExpression


class OnlyContract(Contract):
    """`modules` and everything below them import from `allowed`, from each other and from the standard library."""

    type_name = "only"

    modules = fields.SetField(subfield=fields.ModuleExpressionField())
    allowed = fields.SetField(subfield=fields.ModuleExpressionField())
    broken_contract_guidance = fields.StringField()

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        own = _families(graph, self.modules)  # type: ignore[arg-type]
        allowed = _families(graph, self.allowed) | own  # type: ignore[arg-type]
        wrong = [
            (importer, imported, graph.get_import_details(importer=importer, imported=imported)[0]["line_number"])
            for importer in sorted(own)
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if imported not in allowed and imported.split(".")[0] not in sys.stdlib_module_names
        ]
        return ContractCheck(kept=not wrong, metadata={"wrong": wrong})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, imported, line in check.metadata["wrong"]:
            output.print_error(f"{importer} imports {imported} (line {line})", bold=False)
        output.print_error(str(self.broken_contract_guidance))


def _families(graph: ImportGraph, expressions: set[ModuleExpression]) -> set[str]:
    """The modules that the expressions name, with everything below them."""
    named = {module.name for module in module_expressions_to_modules(graph, expressions)}
    return named.union(*(graph.find_descendants(name) for name in named if not graph.is_module_squashed(name)))
