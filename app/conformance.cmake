# ONNX backend tests, run case by case in worker processes.
orrery_library(app_conformance
  conformance.cpp
  conformance_case.cpp
  conformance_pool.cpp
  LINKS orrery::core_base orrery::core_graph
  PRIVATE_LINKS orrery::app_io orrery::core_frontends_onnx nlohmann_json::nlohmann_json
)
