"""Operations value by value."""

from collections.abc import Callable, Sequence

from service.repository.row_independence.abstract_values import AbstractValue, Tensor
from service.repository.row_independence.graph import Node
from service.repository.row_independence.rules.rule_helpers import broadcast, tensor

_COMBINING = [
    "Abs",
    "Acos",
    "Acosh",
    "Add",
    "AddN",
    "AddV2",
    "Angle",
    "ApproximateEqual",
    "AsString",
    "Asin",
    "Asinh",
    "Atan",
    "Atan2",
    "Atanh",
    "BesselI0e",
    "BesselI1e",
    "Betainc",
    "BitwiseAnd",
    "BitwiseOr",
    "BitwiseXor",
    "Bucketize",
    "Cast",
    "Ceil",
    "CheckNumerics",
    "CheckNumericsV2",
    "ClipByValue",
    "Complex",
    "ComplexAbs",
    "Conj",
    "Cos",
    "Cosh",
    "DecodeBase64",
    "Digamma",
    "Div",
    "DivNoNan",
    "Elu",
    "EncodeBase64",
    "Equal",
    "Erf",
    "Erfc",
    "Erfinv",
    "Exp",
    "Expm1",
    "Floor",
    "FloorDiv",
    "FloorMod",
    "Greater",
    "GreaterEqual",
    "Identity",
    "Igamma",
    "Igammac",
    "Imag",
    "Inv",
    "Invert",
    "IsFinite",
    "IsInf",
    "IsNan",
    "LeakyRelu",
    "LeftShift",
    "Less",
    "LessEqual",
    "Lgamma",
    "Log",
    "Log1p",
    "LogicalAnd",
    "LogicalNot",
    "LogicalOr",
    "Maximum",
    "Minimum",
    "Mod",
    "Mul",
    "MulNoNan",
    "Ndtri",
    "Neg",
    "NotEqual",
    "OnesLike",
    "PopulationCount",
    "Pow",
    "PreventGradient",
    "Real",
    "RealDiv",
    "Reciprocal",
    "RegexFullMatch",
    "RegexReplace",
    "Relu",
    "Relu6",
    "RightShift",
    "Rint",
    "Round",
    "Rsqrt",
    "SelectV2",
    "Selu",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Snapshot",
    "Softplus",
    "Softsign",
    "Spence",
    "Sqrt",
    "Square",
    "SquaredDifference",
    "StaticRegexFullMatch",
    "StaticRegexReplace",
    "StopGradient",
    "StringJoin",
    "StringLength",
    "StringLower",
    "StringStrip",
    "StringToHashBucket",
    "StringToHashBucketFast",
    "StringToHashBucketStrong",
    "StringToNumber",
    "StringUpper",
    "Sub",
    "Substr",
    "Tan",
    "Tanh",
    "TruncateDiv",
    "TruncateMod",
    "UnicodeScript",
    "UnicodeTranscode",
    "Xdivy",
    "Xlog1py",
    "Xlogy",
    "ZerosLike",
    "Zeta",
]


def _combine(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    return broadcast([tensor(argument) for argument in arguments])


def _each(node: Node, arguments: Sequence[AbstractValue]) -> list[AbstractValue]:
    return list(arguments)


def _select(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    """The old ``Select``: a vector of conditions chooses whole rows of the first dimension."""
    condition, then, other = map(tensor, arguments)
    both = broadcast([then, other])
    if condition.rank == 1 and both.rank > 1:
        condition = Tensor(
            condition.sizes + both.sizes[1:], condition.axis, condition.outer, condition.inner
        )
    return broadcast([condition, both])


RULES: dict[str, Callable[[Node, Sequence[AbstractValue]], AbstractValue | list[AbstractValue]]] = {
    **dict.fromkeys(_COMBINING, _combine),
    "IdentityN": _each,
    "Select": _select,
}
