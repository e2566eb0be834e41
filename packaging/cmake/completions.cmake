# ag_completions(): the scripts of packaging/completions become C arrays in the
# build directory, a part of the command line, which prints them; and they are
# installed where Debian's shells look. Run with -P it writes the C file.
if(CMAKE_SCRIPT_MODE_FILE)
    set(text "/* Made from packaging/completions by the build. */\n")
    string(APPEND text "#include \"complete.h\"\n\n")
    foreach(shell IN ITEMS bash fish zsh)
        file(READ "${SOURCE}/auth-guard.${shell}" hex HEX)
        string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
        string(REGEX REPLACE "(............................................................)"
            "\\1\n    " hex "${hex}")
        string(APPEND text "const char complete_${shell}[] = {\n    ${hex}0x00};\n")
    endforeach()
    file(WRITE "${OUT}.new" "${text}")
    file(RENAME "${OUT}.new" "${OUT}")
    return()
endif()

set(AG_COMPLETIONS_SCRIPT "${CMAKE_CURRENT_LIST_FILE}")
function(ag_completions)
    set(source "${CMAKE_SOURCE_DIR}/packaging/completions")
    set(out "${CMAKE_BINARY_DIR}/completions.c")
    add_custom_command(OUTPUT "${out}"
        COMMAND "${CMAKE_COMMAND}" "-DSOURCE=${source}" "-DOUT=${out}"
            -P "${AG_COMPLETIONS_SCRIPT}"
        DEPENDS "${source}/auth-guard.bash" "${source}/auth-guard.fish"
            "${source}/auth-guard.zsh" "${AG_COMPLETIONS_SCRIPT}" VERBATIM)
    target_sources(ag_cli PRIVATE "${out}")
    set(data "${CMAKE_INSTALL_DATADIR}")
    install(FILES "${source}/auth-guard.bash" RENAME auth-guard
        DESTINATION "${data}/bash-completion/completions")
    install(FILES "${source}/auth-guard.fish"
        DESTINATION "${data}/fish/vendor_completions.d")
    # Debian's zsh looks below /usr where packages put it, elsewhere not; the
    # prefix may be said as late as with cmake --install.
    install(CODE "set(zsh site-functions)
        if(CMAKE_INSTALL_PREFIX STREQUAL \"/usr\")
            set(zsh vendor-completions)
        endif()
        file(INSTALL \"${source}/auth-guard.zsh\" RENAME _auth-guard
            DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${data}/zsh/\${zsh}\")")
endfunction()
