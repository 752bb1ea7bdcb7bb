# Accelerator programs by name, shared by the command line and the window.
orrery_library(app_vta
  vta_program.cpp
  LINKS orrery::core_base orrery::views_model
)
