from .commands import BoardStatus
from .frame import Frame, FrameKind, FrameReader, HistogramAssembly
from .lua_check import Problem, check_files, check_source
from .upload import Upload, UploadResult, UploadSettings

__all__ = [
    "BoardStatus",
    "Frame",
    "FrameKind",
    "FrameReader",
    "HistogramAssembly",
    "Problem",
    "Upload",
    "UploadResult",
    "UploadSettings",
    "check_files",
    "check_source",
]
