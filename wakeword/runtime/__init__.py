"""Run a bundle with numpy and onnxruntime alone.

from wakeword.runtime import Detector, load_bundle
detector = Detector(load_bundle("bundle"))
for detection in detector.process(chunk): ...
"""

from wakeword.runtime.bundle import Bundle, load_bundle
from wakeword.runtime.detector import Detector, detect_file
from wakeword.runtime.events import Detection
from wakeword.runtime.slots import StreamSlots

__all__ = ["Bundle", "Detection", "Detector", "StreamSlots", "detect_file", "load_bundle"]
