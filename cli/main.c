/* auth-guard: the command line. Everything stands behind the table in verb.c. */
#include "cli.h"
#include "verb.h"

int
main(int argc, char **argv)
{
    static struct cli cli;

    return verb_main(&cli, argc, argv);
}
