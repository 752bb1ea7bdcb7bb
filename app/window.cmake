# The window: everything of app/ that needs Qt. Included by app/CMakeLists.txt.
if(ORRERY_GUI)
  find_package(Qt6 6.4 REQUIRED COMPONENTS Widgets)
  orrery_library(app_window
    actions.cpp
    main_window.cpp
    vta_job.cpp
    vta_page.cpp
    vta_panels.cpp
    window_entry.cpp
    window_files.cpp
    window_imgui_host.cpp
    window_memory_panel.cpp
    window_passes.cpp
    window_schedule.cpp
    window_scratch.cpp
    window_session.cpp
    window_settings.cpp
    window_toolbar.cpp
  window_tune.cpp
  window_tune_panel.cpp
    window_workbench.cpp
    window_workspace.cpp
    LINKS orrery::app_vta orrery::core_session orrery::views_qt orrery::views_imgui Qt6::Widgets
    PRECOMPILED qt
  )
  set_target_properties(orrery_app_window PROPERTIES AUTOMOC ON)
endif()
