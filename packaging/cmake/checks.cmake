# One test program per file. tests/<kind>/<room>/<module>_test.c links the room
# it is named after; a comment line `// LINKS: a b` adds rooms, and
# `// WRAP: f g` puts __wrap_f before calls of f (fault tests); `// CPU: plain`
# runs it once more as on a machine without AVX2 (tests/common/plain.h).
find_library(CMOCKA cmocka)
if(CMOCKA)
    add_library(check_group OBJECT EXCLUDE_FROM_ALL
        "${CMAKE_SOURCE_DIR}/tests/common/group.c"
        "${CMAKE_SOURCE_DIR}/tests/common/plain.c")
    target_link_libraries(check_group PRIVATE ag_flags)
    target_include_directories(check_group PRIVATE
        "${CMAKE_SOURCE_DIR}/tests" "${CMAKE_SOURCE_DIR}/broker")
endif()

function(ag_check kind file)
    file(RELATIVE_PATH rel "${CMAKE_SOURCE_DIR}/tests/${kind}" "${file}")
    get_filename_component(room "${rel}" DIRECTORY)
    get_filename_component(module "${rel}" NAME_WE)
    set(target "${kind}_${room}_${module}")
    add_executable(${target} EXCLUDE_FROM_ALL "${file}")
    file(STRINGS "${file}" lines REGEX "^// (LINKS|WRAP|CPU): " LIMIT_COUNT 4)
    set(links ag_${room})
    set(is_plain_too OFF)
    foreach(line IN LISTS lines)
        string(REGEX REPLACE "^// (LINKS|WRAP|CPU): " "" words "${line}")
        separate_arguments(words)
        if(line MATCHES "LINKS")
            list(TRANSFORM words PREPEND "ag_")
            list(PREPEND links ${words})
        elseif(line MATCHES "CPU")
            set(is_plain_too ON)
        else()
            list(TRANSFORM words PREPEND "-Wl,--wrap=")
            target_link_options(${target} PRIVATE ${words})
        endif()
    endforeach()
    target_link_libraries(${target} PRIVATE ${links})
    target_include_directories(${target} PRIVATE "${CMAKE_SOURCE_DIR}/tests")
    target_compile_definitions(${target} PRIVATE
        AG_SOURCE_DIR="${CMAKE_SOURCE_DIR}" AG_BINARY_DIR="${CMAKE_BINARY_DIR}")
    if(kind STREQUAL "fuzz")
        target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    else()
        target_link_libraries(${target} PRIVATE check_group ${CMOCKA})
        target_link_options(${target} PRIVATE
            -Wl,--wrap=_cmocka_run_group_tests)
        add_test(NAME ${kind}/${room}/${module} COMMAND ${target})
        # The longest are among these: they begin first, so that none is left to
        # run alone at the end.
        set(cost 1)
        if(kind MATCHES "fault|prop")
            set(cost 10)
        endif()
        set_tests_properties(${kind}/${room}/${module} PROPERTIES
            TIMEOUT 600 LABELS ${kind} COST ${cost})
        if(is_plain_too)
            add_test(NAME ${kind}/${room}/${module}/plain COMMAND ${target})
            set_tests_properties(${kind}/${room}/${module}/plain PROPERTIES
                TIMEOUT 600 LABELS ${kind} COST ${cost}
                ENVIRONMENT AG_TEST_CPU=plain)
        endif()
    endif()
    add_dependencies(checks ${target})
endfunction()

# ag_tool(KIND FILE): a helper program of the scenarios (e2e) or one side of a
# benchmark (bench), KIND_NAME, built by `all` so that it lies beside the
# programs it drives. A comment line `// LINKS: a b` names rooms or, with "::",
# libraries; without one it is plain C on our flags.
function(ag_tool kind file)
    get_filename_component(name "${file}" NAME_WE)
    set(target "${kind}_${name}")
    add_executable(${target} "${file}")
    target_link_libraries(${target} PRIVATE ag_flags)
    target_include_directories(${target} PRIVATE "${CMAKE_SOURCE_DIR}/tests")
    file(STRINGS "${file}" lines REGEX "^// LINKS: " LIMIT_COUNT 1)
    foreach(line IN LISTS lines)
        string(REGEX REPLACE "^// LINKS: " "" words "${line}")
        separate_arguments(words)
        foreach(word IN LISTS words)
            if(NOT word MATCHES "::")
                set(word "ag_${word}")
            endif()
            target_link_libraries(${target} PRIVATE ${word})
        endforeach()
    endforeach()
    set_target_properties(${target} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
endfunction()
