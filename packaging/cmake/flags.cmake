# Language, warnings, hardening and sanitizers: everything is an error.
# AG_SANITIZE: "", "address", "thread" or "fuzz". AG_HARDEN: ON for release.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON) # GNU attributes and statement expressions
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(AG_SANITIZE "" CACHE STRING "address, thread or fuzz")
option(AG_HARDEN "hardened release flags" OFF)

add_library(ag_flags INTERFACE)
target_include_directories(ag_flags INTERFACE "${CMAKE_SOURCE_DIR}/broker")
target_compile_definitions(ag_flags INTERFACE _GNU_SOURCE
    AG_VERSION="${PROJECT_VERSION}")
target_compile_options(ag_flags INTERFACE
    -fno-common -fvisibility=hidden -fno-strict-aliasing -fno-strict-overflow
    -fno-delete-null-pointer-checks
    -Werror -Wall -Wextra -Wpedantic -Wformat=2 -Wconversion -Wsign-conversion
    -Wshadow -Wundef -Wvla -Wcast-qual -Wcast-align -Wwrite-strings
    -Wpointer-arith -Wstrict-prototypes -Wold-style-definition
    -Wmissing-prototypes -Wredundant-decls -Wswitch-enum -Wimplicit-fallthrough
    -Wnull-dereference -Wdate-time -Wunused-macros -Wframe-larger-than=8192)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    target_compile_options(ag_flags INTERFACE
        -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wjump-misses-init
        -Wformat-signedness -Warith-conversion -Wtrampolines
        -Wbidi-chars=any)
else()
    target_compile_options(ag_flags INTERFACE
        -Wassign-enum -Wcomma -Wconditional-uninitialized
        -Wmissing-variable-declarations -Wunreachable-code-aggressive
        -Wno-gnu-statement-expression)
endif()

if(AG_HARDEN)
    target_compile_options(ag_flags INTERFACE
        -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong
        -fstack-clash-protection -fcf-protection=full
        -ftrivial-auto-var-init=zero -fzero-call-used-regs=used-gpr)
    target_link_options(ag_flags INTERFACE
        -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,--as-needed)
endif()

if(AG_SANITIZE STREQUAL "address" OR AG_SANITIZE STREQUAL "fuzz")
    set(ag_san -fsanitize=address,undefined -fno-sanitize-recover=all
        -fno-omit-frame-pointer)
    if(AG_SANITIZE STREQUAL "fuzz")
        list(APPEND ag_san -fsanitize=fuzzer-no-link)
    endif()
elseif(AG_SANITIZE STREQUAL "thread")
    set(ag_san -fsanitize=thread -fno-omit-frame-pointer)
endif()
if(AG_SANITIZE)
    # selflock is left out: leak checking needs ptrace.
    target_compile_definitions(ag_flags INTERFACE AG_SANITIZED=1)
    target_compile_options(ag_flags INTERFACE ${ag_san})
    target_link_options(ag_flags INTERFACE ${ag_san})
endif()
