"""What a statement can name: collected from the function and the module it stands in."""

import ast
from collections.abc import Iterator

from runner.diagnosis.line.edits import Scope

MODULES = {
    "np",
    "numpy",
    "self",
    "print",
    "range",
    "len",
    "enumerate",
    "zip",
    "reversed",
    "math",
    "sum",
    "list",
    "dict",
}


def scope_of(tree: ast.Module, top: ast.stmt, around: ast.AST, statement: ast.stmt) -> Scope:
    """The names, attributes, keys, functions and terms within reach of a statement."""
    names: dict[str, None] = {}
    attributes: dict[str, dict[str, None]] = {}
    keys: dict[str, None] = {}
    for node in ast.walk(around):
        if isinstance(node, ast.Name) and node.id not in MODULES:
            names[node.id] = None
        elif isinstance(node, ast.arg) and node.arg != "self":
            names[node.arg] = None
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            keys[node.value] = None
    for node in ast.walk(top):
        if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
            continue
        if node.value.id not in ("np", "numpy") and node.attr not in ("T", "shape", "size"):
            attributes.setdefault(node.value.id, {})[node.attr] = None
    functions = [f"np.{name}" for name in ("tanh", "exp", "sign")]
    functions += [each.name for each in tree.body if isinstance(each, ast.FunctionDef) and len(each.args.args) == 1]
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call) and len(node.args) == 1}
    functions += [each for each in called if each.startswith("self.")]
    variables = tuple(name for name in names if name not in functions)
    stored = {each.id for each in ast.walk(around) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    used = {each.id for each in ast.walk(around) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)}
    unused = tuple(sorted(stored - used))
    attribute_names = {name: tuple(each) for name, each in attributes.items()}
    return Scope(
        variables,
        attribute_names,
        tuple(keys),
        tuple(functions),
        unused,
        tuple(_terms(around, variables, functions, unused)),
    )


def _terms(
    around: ast.AST, names: tuple[str, ...], functions: list[str], unused: tuple[str, ...]
) -> Iterator[ast.expr]:
    """Factors and terms that stand somewhere in the function, or are the slope of an activation."""
    texts: dict[str, None] = {}
    here: dict[str, None] = dict.fromkeys(names)
    for node in ast.walk(around):
        if not isinstance(node, ast.Subscript | ast.Attribute) or not isinstance(node.ctx, ast.Load):
            continue
        if getattr(node, "attr", "") not in ("T", "shape") and not ast.unparse(node).startswith("np."):
            here[ast.unparse(node)] = None
    for node in ast.walk(around):
        if isinstance(node, ast.BinOp | ast.Compare | ast.Call):
            text = ast.unparse(node)
            if len(text) <= 60:
                texts[text] = None
    for name in here:
        texts[name] = None
        texts |= dict.fromkeys(f"{each} * {name}" for each in unused)
    for name in here:
        for made in (
            f"(1 - {name})",
            f"{name} * (1 - {name})",
            f"(1 - {name} ** 2)",
            f"({name} > 0)",
            f"{name} ** 2",
            f"1 / (1 + np.exp(-{name}))",
            f"1 - np.tanh({name}) ** 2",
            f"np.exp(-{name}) / (1 + np.exp(-{name})) ** 2",
        ):
            texts[made] = None
        for function in functions:
            if "deriv" in function or "prime" in function or function.startswith(("d", "grad", "self.d")):
                texts[f"{function}({name})"] = None
    for name in here:
        for other in here:
            if name != other and any(each in other.lower() for each in ("l2", "lam", "reg", "decay", "wd")):
                texts[f"{other} * {name}"] = None
    for text in list(texts)[:240]:
        try:
            yield ast.parse(text, mode="eval").body
        except SyntaxError:
            continue
