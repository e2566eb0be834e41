/* auth-guard: the command line. Everything stands behind the table in verb.c. */
#include "cli.h"
#include "verb.h"
#include "wire/json.h"

int
main(int argc, char **argv)
{
    static struct cli cli;

    wjson_setup(); /* before the first tree: all of them are wiped */
    return verb_main(&cli, argc, argv);
}
