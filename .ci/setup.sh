# Sourced by run, test and .ci/run: the packages the project needs, and how it is configured and built.

ORRERY_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
ORRERY_BUILD=$ORRERY_ROOT/build

# Names of Debian 12; python3 and clang-format serve the checks, the fonts and X the window, qemu-user the tests of code
# for other machines.
ORRERY_PACKAGES=(
  g++ cmake ninja-build ccache mold pkg-config
  qt6-base-dev qt6-svg-dev libimgui-dev libstb-dev libfreetype-dev
  llvm-19-dev lld-19 libdnnl-dev libgraphviz-dev graphviz libsqlite3-dev
  libprotobuf-dev protobuf-compiler libgrpc++-dev protobuf-compiler-grpc libxgboost-dev libonnx-dev libonnx-testdata
  nlohmann-json3-dev libcli11-dev libspdlog-dev libxxhash-dev
  fonts-inter fonts-jetbrains-mono
  catch2 librapidcheck-dev qemu-user xvfb xauth clang-format python3
)

# Installs what is missing, as root or through sudo; otherwise prints the command and fails.
# Asks no server when nothing is missing.
orrery_packages() {
  command -v dpkg-query >/dev/null || return 0 # not Debian: CMake says what it does not find
  local installed missing=() package
  installed=" $(dpkg-query -W -f='${Package}:${db:Status-Status} ' 2>/dev/null)"
  for package in "${ORRERY_PACKAGES[@]}"; do
    [[ $installed == *" $package:installed "* ]] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  local command="apt-get install -y --no-install-recommends ${missing[*]}"
  local -a as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if [ -t 0 ]; then as_root=(sudo); else as_root=(sudo -n); fi
    if ! command -v sudo >/dev/null || ! "${as_root[@]}" true 2>/dev/null; then
      echo "Packages are missing. As root, run: apt-get update && $command" >&2
      return 1
    fi
  fi
  echo "Installing ${#missing[@]} packages: ${missing[*]}" >&2
  "${as_root[@]}" apt-get update >&2 || true # without a network the packages may still be in apt's cache
  if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive $command >&2; then
    echo "The packages could not be installed. As root, run: apt-get update && $command" >&2
    return 1
  fi
}

# Configures once; a tree that was copied or moved here is configured anew.
orrery_configure() {
  local cache=$ORRERY_BUILD/CMakeCache.txt
  if [ -f "$cache" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$ORRERY_ROOT" "$cache"; then
    rm -rf "$cache" "$ORRERY_BUILD/CMakeFiles" "$ORRERY_BUILD/build.ninja"
  fi
  [ -f "$ORRERY_BUILD/build.ninja" ] && return 0
  echo "Configuring in build/" >&2
  cmake -S "$ORRERY_ROOT" -B "$ORRERY_BUILD" -G Ninja -DCMAKE_BUILD_TYPE=Release >&2
}

# orrery_build [TARGET...]: silent when there is nothing to do. Writes to stderr only.
orrery_build() {
  if [ "$(ninja -C "$ORRERY_BUILD" -n "$@" 2>/dev/null | tail -n 1)" = "ninja: no work to do." ]; then return 0; fi
  echo "Building in build/ with $(nproc) jobs" >&2
  ninja -C "$ORRERY_BUILD" -j "$(nproc)" "$@" >&2
}
