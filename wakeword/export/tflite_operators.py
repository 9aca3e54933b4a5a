"""Count the operators of a TFLite file and compare them with those of TFLite runtimes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from wakeword.errors import RunError

_MICRO = """
ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND BROADCAST_ARGS
BROADCAST_TO CALL_ONCE CAST CEIL CONCATENATION CONV_2D COS CUMSUM DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV
DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED
GATHER GATHER_ND GREATER GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG
LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG
NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE READ_VARIABLE REDUCE_ALL REDUCE_MAX REDUCE_MIN RELU RELU6 RESHAPE
RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND
SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE
TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE ZEROS_LIKE
"""
MICRO = frozenset(_MICRO.split())
"""Operators that TFLite Micro's resolver can register (2025); older releases lack some of them."""


def count_operators(content: bytes) -> dict[str, int]:
    """Number of each operator in a TFLite file; `custom NAME` for operators that are not built in."""
    from ai_edge_litert import schema_py_generated as schema

    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    model = schema.Model.GetRootAs(content, 0)
    codes = []
    for place in range(model.OperatorCodesLength()):
        entry = model.OperatorCodes(place)
        # Older files have only the deprecated field, which ends at 127.
        code = max(entry.BuiltinCode(), entry.DeprecatedBuiltinCode())
        custom = entry.CustomCode()
        codes.append(f"custom {custom.decode()}" if custom else names.get(code, f"number {code}"))
    counts: Counter[str] = Counter()
    for place in range(model.SubgraphsLength()):
        graph = model.Subgraphs(place)
        counts.update(codes[graph.Operators(at).OpcodeIndex()] for at in range(graph.OperatorsLength()))
    return dict(sorted(counts.items()))


def check_operators(counts: Mapping[str, int]) -> None:
    """Raise RunError for operators outside plain TFLite: Flex, custom or StableHLO."""
    # Flex operators, which need TensorFlow, are custom ones too.
    prefixes = ("custom ", "number ", "STABLEHLO_")
    strange = [name for name in counts if name.startswith(prefixes) or name in ("CUSTOM", "DELEGATE")]
    if strange:
        raise RunError(
            f"the TFLite model needs {', '.join(strange)}, which plain TFLite runtimes do not have:"
            " set export.tflite=false for this model"
        )


def missing_in_micro(names: Iterable[str]) -> list[str]:
    """The operators that TFLite Micro lacks."""
    return sorted(set(names) - MICRO)
