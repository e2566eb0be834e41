# ag_man(): the man page, of packaging/man and what the program says of itself.
# Run with -P it writes the page.
if(CMAKE_SCRIPT_MODE_FILE)
    execute_process(COMMAND "${SOURCE}/verbs.sh" "${BIN}" OUTPUT_VARIABLE VERBS
        COMMAND_ERROR_IS_FATAL ANY)
    string(STRIP "${VERBS}" VERBS)
    configure_file("${SOURCE}/auth-guard.1.in" "${OUT}" @ONLY)
    return()
endif()

set(AG_MAN_SCRIPT "${CMAKE_CURRENT_LIST_FILE}")
function(ag_man)
    set(source "${CMAKE_SOURCE_DIR}/packaging/man")
    set(out "${CMAKE_BINARY_DIR}/auth-guard.1")
    add_custom_command(OUTPUT "${out}"
        COMMAND "${CMAKE_COMMAND}" "-DSOURCE=${source}" "-DOUT=${out}"
            "-DBIN=$<TARGET_FILE:auth-guard>" -P "${AG_MAN_SCRIPT}"
        DEPENDS auth-guard "${source}/verbs.sh" "${source}/auth-guard.1.in"
        VERBATIM)
    add_custom_target(man ALL DEPENDS "${out}")
    install(FILES "${out}" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
endfunction()
