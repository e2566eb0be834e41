# The numbered migrations of schema/ become a C array in the build directory:
# ag_schema(ROOM) adds it to libag_ROOM. Run with -P it writes that file.
if(CMAKE_SCRIPT_MODE_FILE)
    set(arrays)
    set(rows)
    set(number 0)
    string(REPLACE "|" ";" FILES "${FILES}")
    foreach(file IN LISTS FILES)
        math(EXPR number "${number} + 1")
        get_filename_component(name "${file}" NAME)
        if(NOT name MATCHES "^0*${number}_[a-z0-9_]+\\.sql$")
            message(FATAL_ERROR "${name}: migration ${number} expected")
        endif()
        file(READ "${file}" hex HEX)
        string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
        string(REGEX REPLACE "(............................................................)"
            "\\1\n    " hex "${hex}")
        string(APPEND arrays
            "static const char SQL_${number}[] = {\n    ${hex}0x00};\n")
        string(APPEND rows "    {${number}, SQL_${number}},\n")
    endforeach()
    file(WRITE "${OUT}.new" "/* Made from the files in schema/ by the build. */\n"
        "#include \"store/migrate.h\"\n\n${arrays}\n"
        "const struct migration MIGRATIONS[] = {\n${rows}};\n"
        "const size_t MIGRATION_COUNT = ${number};\n")
    file(RENAME "${OUT}.new" "${OUT}")
    return()
endif()

set(AG_SCHEMA_SCRIPT "${CMAKE_CURRENT_LIST_FILE}")
function(ag_schema room)
    file(GLOB files CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/schema/[0-9]*.sql")
    list(SORT files)
    set(out "${CMAKE_BINARY_DIR}/schema.c")
    string(REPLACE ";" "|" quoted "${files}") # one argument
    add_custom_command(OUTPUT "${out}"
        COMMAND "${CMAKE_COMMAND}" "-DFILES=${quoted}" "-DOUT=${out}"
            -P "${AG_SCHEMA_SCRIPT}"
        DEPENDS ${files} "${AG_SCHEMA_SCRIPT}" VERBATIM)
    target_sources(ag_${room} PRIVATE "${out}")
endfunction()
