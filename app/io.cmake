# Inputs and outputs of a run as files; a target of its own, so that tests need no window.
find_library(ORRERY_STB_LIBRARY stb REQUIRED)
orrery_library(app_io
  io_image.cpp
  io_npy.cpp
  io_pb.cpp
  LINKS orrery::core_base
  PRIVATE_LINKS orrery::core_frontends_onnx_tensors ${ORRERY_STB_LIBRARY}
)
