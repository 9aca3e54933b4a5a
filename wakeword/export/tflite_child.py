"""The conversion in a separate process: `python -m wakeword.export.tflite_child SOURCE.onnx FOLDER`.

onnx2tf exits its process on some errors, and TensorFlow does not release its memory.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Write `FOLDER/NAME_float32.tflite` for `NAME.onnx`."""
    import onnx2tf

    source, folder = sys.argv[1:]
    onnx2tf.convert(
        input_onnx_file_path=source,
        output_folder_path=folder,
        # The graph is already simplified, by passes that keep small constants.
        not_use_onnxsim=True,
        non_verbose=True,
    )


if __name__ == "__main__":
    main()
