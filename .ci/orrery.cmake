# How every target of the project is built: one function for libraries, one for tests.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# -O2 without assertions off: invariants are checked in every build.
set(CMAKE_CXX_FLAGS_RELEASE "-O2")
set(CMAKE_C_FLAGS_RELEASE "-O2")

find_program(ORRERY_CCACHE ccache)
if(ORRERY_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # ccache serves files with a precompiled header only when told that nothing in them hangs on time or definitions.
  set(CMAKE_C_COMPILER_LAUNCHER ${ORRERY_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${ORRERY_CCACHE})
endif()
find_program(ORRERY_MOLD mold)

add_library(orrery_flags INTERFACE)
target_include_directories(orrery_flags INTERFACE ${PROJECT_SOURCE_DIR})
# -fPIC for programs, too: one precompiled header serves them and the libraries.
target_compile_options(orrery_flags INTERFACE -Wall -Wextra -Werror -fPIC
  "-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=") # places in messages are the same in every checkout
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # False positives of GCC 12 in inlined standard containers.
  target_compile_options(orrery_flags INTERFACE -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread -Wno-array-bounds
    -Wno-dangling-pointer -Wno-maybe-uninitialized -Wno-missing-field-initializers)
  if(ORRERY_UNITY)
    target_compile_options(orrery_flags INTERFACE -Wno-subobject-linkage) # takes files compiled together for headers
  endif()
endif()
if(ORRERY_MOLD)
  target_link_options(orrery_flags INTERFACE -fuse-ld=mold)
endif()
if(ORRERY_SANITIZE)
  target_compile_options(orrery_flags INTERFACE -fsanitize=${ORRERY_SANITIZE} -fno-omit-frame-pointer -g1)
  target_link_options(orrery_flags INTERFACE -fsanitize=${ORRERY_SANITIZE})
endif()

# orrery_precompiled(hot OPTIONS -O2 HEADERS <string> LINKS Qt6::Widgets): headers parsed once for each way of compiling, since
# GCC takes a precompiled header only under the flags it was made with. Nothing of the project is in them: no edit rebuilds all.
function(orrery_precompiled name)
  if(NOT ORRERY_PCH)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "OPTIONS;HEADERS;LINKS" ${ARGN})
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/precompiled/${name}.cpp CONTENT "")
  add_library(orrery_precompiled_${name} OBJECT ${PROJECT_BINARY_DIR}/precompiled/${name}.cpp)
  target_link_libraries(orrery_precompiled_${name} PRIVATE orrery_flags ${ARG_LINKS})
  target_compile_options(orrery_precompiled_${name} PRIVATE ${ARG_OPTIONS})
  target_precompile_headers(orrery_precompiled_${name} PRIVATE ${ARG_HEADERS})
endfunction()

# Targets whose files have the same short names for different things: each canvas its own margins, say.
set(ORRERY_ALONE orrery_views_imgui test_views_layout)

# orrery_compiled(target hot -O2): that target is compiled with those options over that precompiled header, four files at a
# time: half of what a file costs is instantiating templates of headers that its neighbours use as well.
function(orrery_compiled target name)
  target_compile_options(${target} PRIVATE ${ARGN})
  if(ORRERY_UNITY AND NOT target IN_LIST ORRERY_ALONE)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 4)
  endif()
  if(ORRERY_PCH)
    target_precompile_headers(${target} REUSE_FROM orrery_precompiled_${name})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      target_compile_options(${target} PRIVATE -fpch-preprocess) # ccache asks for it
    endif()
  endif()
endfunction()

set(ORRERY_STD_HEADERS <algorithm> <array> <atomic> <chrono> <cmath> <cstdint> <cstring> <functional>
  <map> <memory> <mutex> <optional> <set> <span> <string> <string_view> <thread> <unordered_map> <unordered_set>
  <utility> <variant> <vector>)
set(ORRERY_QT_HEADERS <QApplication> <QHBoxLayout> <QLabel> <QLineEdit> <QMainWindow> <QMenu> <QPainter> <QScrollBar>
  <QToolButton> <QVBoxLayout> <QWidget>)
orrery_precompiled(hot OPTIONS -O2 HEADERS ${ORRERY_STD_HEADERS})
orrery_precompiled(cold OPTIONS -O1 HEADERS ${ORRERY_STD_HEADERS})

# Folders that run once a model or once a click, or wait for others: tables of operators, converters, passes, widgets, commands, the
# session, the writer of LLVM IR. -O1 compiles them in four fifths of the time.
set(ORRERY_COLD app_conformance app_io backend_dnnl backend_llvm core_frontends_onnx core_lower core_ops core_schedule
  core_session core_transform core_tuning views_model)

# orrery_library(core_graph a.cpp b.cpp LINKS orrery::core_base): static library orrery_core_graph, alias orrery::core_graph.
# PRECOMPILED names another precompiled header than the one for hot or cold code.
function(orrery_library name)
  cmake_parse_arguments(ARG "" "PRECOMPILED" "LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(orrery_${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  add_library(orrery::${name} ALIAS orrery_${name})
  target_link_libraries(orrery_${name} PUBLIC ${ARG_LINKS} PRIVATE orrery_flags ${ARG_PRIVATE_LINKS})
  target_include_directories(orrery_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  if(ARG_PRECOMPILED)
    orrery_compiled(orrery_${name} ${ARG_PRECOMPILED} -O1)
  elseif(name IN_LIST ORRERY_COLD)
    orrery_compiled(orrery_${name} cold -O1)
  else()
    orrery_compiled(orrery_${name} hot)
  endif()
endfunction()

# orrery_test(core_graph test_a.cpp LINKS orrery::core_graph): Catch2 binary test_core_graph, ctest core_graph.
function(orrery_test name)
  cmake_parse_arguments(ARG "" "" "LINKS" ${ARGN})
  add_executable(test_${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(test_${name} PRIVATE orrery_flags ${ARG_LINKS} orrery_test_paths Catch2::Catch2WithMain)
  orrery_compiled(test_${name} test -O0)
  add_test(NAME ${name} COMMAND test_${name})
endfunction()
