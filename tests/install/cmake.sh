#!/bin/sh
# A CMake project finds the package and builds a C and a C++ program.
# shellcheck source=tests/install/common.sh
. "$(dirname "$0")/common.sh"
command -v cmake >/dev/null || skip "cmake is not installed"

project=$work/cmake
mkdir "$project"
cp examples/c/quickstart.c "$project"
cat >"$project/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.14)
project(uses_hmtl C CXX)

find_package(hmtl 0.1 REQUIRED)
find_package(hmtl 0.1 REQUIRED) # by another part of the project
add_executable(quickstart quickstart.c)
target_link_libraries(quickstart PRIVATE hmtl::hmtl)
add_executable(version version.cpp)
target_compile_features(version PRIVATE cxx_std_17)
target_link_libraries(version PRIVATE hmtl::hmtl)
END
header=hmtl.h
[ ! -f "$prefix/include/hmtl.hpp" ] || header=hmtl.hpp
cat >"$project/version.cpp" <<END
#include <$header>
#include <iostream>
#include <hmtl.h>

int main()
{
    std::cout << hmtl_version() << '\n';
    return hmtl_abi_version() != HMTL_ABI_VERSION;
}
END
{
    cmake -S "$project" -B "$project/build" -DCMAKE_PREFIX_PATH="$prefix" && cmake --build "$project/build"
} >"$work/log" 2>&1 || fail "$(cat "$work/log")"
annotates "$project/build/quickstart"
finds_torch "$project/build/version"
version=$("$project/build/version") || fail "the C++ program failed"
readelf -d "$project/build/version" | grep -q 'NEEDED.*libhmtl\.so\.[0-9]*\]' || fail "the program does not ask for the SONAME"

# Of an earlier version a program may ask, of a later one or another major version not.
asks() {
    cat >"$work/asks.cmake" <<END
set(PACKAGE_FIND_VERSION $1)
set(PACKAGE_FIND_VERSION_MAJOR ${1%%.*})
include("$prefix/$libdir/cmake/hmtl/hmtlConfigVersion.cmake")
message("\${PACKAGE_VERSION_COMPATIBLE}")
END
    [ "$(cmake -P "$work/asks.cmake" 2>&1)" = "$2" ] || fail "version $1 is not answered with $2"
}
asks 0.0.1 TRUE
asks "$version" TRUE
asks "${version%.*}.99" FALSE
asks 99.0 FALSE
