/* schema/profile.schema.json says what the loader's table says, row by row. */
#include "common/schemas.h"
#include "profile/table.h"

static void
test_schema_and_table_agree(void **state)
{
    (void)state;
    schema_check(AG_SOURCE_DIR "/schema/profile.schema.json", profile_spec());
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema_and_table_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
