"""lib/cni_sriov.blob: the code objects of all modules of `sriov`, for build/plugin_entry.py to read.

What a verb always imports is there once more, in the order in which it is to be executed, as one piece for what all
verbs but VERSION have in common and one for the rest: one `marshal` shares the names that 30 modules have in common,
and nothing is searched for. Any other import finds the module alone, or in the piece in common, where a copy of each
would be 0.4 MB more on disk. A whole piece for each verb would be 1.4 MB more.

Each is compiled without what only readers and type checkers need: docstrings, annotations, `if TYPE_CHECKING:`. That
is a fifth of what an ADD has to unmarshal (docs/speed.md). File names in them are relative, so that the same input
gives the same bytes.
"""

import ast
import marshal
import sys
from importlib.machinery import PathFinder

_DOOR = ("plugin", "paths")
_ATTACHMENT = (*_DOOR, "protocol", "netconf", "host", "ledger", "log")
VERBS = {  # what cni_sriov/doors/cni.py imports for them whatever the conf says; to CHECK every runtime sends prevResult
    "VERSION": (*_DOOR, "versions", "jsontext"),
    "ADD": (*_ATTACHMENT, "poolconf", "commands.add"),
    "DEL": (*_ATTACHMENT, "poolconf", "commands.delete"),
    "CHECK": (*_ATTACHMENT, "prevresult", "commands.check"),
    "GC": (*_ATTACHMENT, "commands.gc"),
    "STATUS": (*_ATTACHMENT, "poolconf", "commands.status"),
}
COMMON = "in common"  # a verb's own piece is "for VERB": names that no module has, and this one no CNI_COMMAND gives


class Order(PathFinder):
    """Finds as ever, and notes which modules of ours have been executed, each after what it imports itself."""

    done: list[str] = []

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        spec = super().find_spec(name, path, target)
        if spec is not None and name.partition(".")[0] == "cni_sriov":
            execute = spec.loader.exec_module

            def exec_module(module):
                execute(module)
                cls.done.append(name)

            spec.loader.exec_module = exec_module
        return spec


def order_of(root, verb):
    """The modules that VERBS means, in the order in which they can be executed."""
    Order.done = []
    sys.meta_path.insert(0, Order)
    sys.path.insert(0, root)
    try:
        for name in VERBS[verb]:
            __import__(f"cni_sriov.{name}")
    finally:
        sys.meta_path.remove(Order)
        sys.path.remove(root)
        for name in Order.done:
            del sys.modules[name]
    return Order.done


class Slim(ast.NodeTransformer):
    """The module as it runs; only for ours, of which none reads annotations."""

    def visit_ImportFrom(self, node):
        return None if node.module == "__future__" else node

    def visit_If(self, node):
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return [self.visit(child) for child in node.orelse] or None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node):
        """`a: int = 1` without the type; `a: int` alone is a promise to the type checker."""
        if node.value is None:
            return None
        return ast.copy_location(ast.Assign([node.target], self.visit(node.value)), node)

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_FunctionDef(self, node):
        node.returns = None
        return self._kept(node)

    def visit_ClassDef(self, node):
        return self._kept(node)

    def _kept(self, node):
        self.generic_visit(node)
        node.body = node.body or [ast.copy_location(ast.Pass(), node)]
        return node


def compiled(name, source):
    with open(source, "rb") as file:
        tree = ast.parse(file.read())
    if name.partition(".")[0] == "cni_sriov":
        tree = ast.fix_missing_locations(Slim().visit(tree))
    return compile(tree, f"{name.replace('.', '/')}.py", "exec", dont_inherit=True, optimize=2)


def write(modules, root, target):
    """`modules`: (name, source file) each. The file: size of the index, the index {what: (offset, size)}, the pieces.
    A piece is a list of (name, is package, code object); it is COMMON, for a verb, or for one module of that name.
    """
    made = {name: (name, path.endswith("__init__.py"), compiled(name, path)) for name, path in modules}
    orders = {verb: order_of(root, verb) for verb in VERBS}
    common = set.intersection(*(set(order) for verb, order in orders.items() if verb != "VERSION"))
    pieces = {name: [made[name]] for name in sorted(made) if name not in common}
    pieces[COMMON] = [made[name] for name in orders["ADD"] if name in common]
    orders |= {
        verb: [name for name in order if name not in common]
        for verb, order in orders.items()
        if verb != "VERSION"
    }
    pieces |= {f"for {verb}": [made[name] for name in order] for verb, order in orders.items()}
    index, bodies = {}, b""
    for what, piece in pieces.items():
        body = marshal.dumps(piece)
        index[what] = (len(bodies), len(body))
        bodies += body
    index |= dict.fromkeys(sorted(common), index[COMMON])
    with open(target, "wb") as file:
        head = marshal.dumps(index)
        file.write(len(head).to_bytes(4, "little") + head + bodies)


def modules_in(path):
    """Their names; the other pieces are made of the same ones."""
    with open(path, "rb") as file:
        index = marshal.loads(file.read(int.from_bytes(file.read(4), "little")))
    return [what for what in index if " " not in what]
