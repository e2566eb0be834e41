/* release: a credential back into its file. */
#include "args.h"
#include "base/fdx.h"
#include "move/line.h"
#include "move/recover.h"
#include "move/release.h"
#include "verb.h"

enum ag_err
verb_release(struct cli *cli, int argc, char **argv)
{
    const char *path = NULL;
    const struct arg_opt opts[] = {
        {"path", ARG_TEXT, &path, "FILE",
         "where to (default: where it came from); absolute"}};
    const struct arg_spec spec = {
        .names = ARG_NAMES_SECRETS,
        .usage = "release [options] NAME",
        .about = "Puts a file back as it was, byte for byte, with owner, mode "
                 "and times, and takes\nit out of the vault. Asks for the "
                 "passphrase. Never overwrites a file.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_min = 1,
        .words_max = 1};
    json_auto_t *result = NULL;
    AG_AUTO(fd) int lock = -1;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    (void)!moves_recover(cli, NULL); /* said; it keeps no other move */
    err = line_lock(cli, &lock);
    if (err == AG_OK) {
        err = release_file(cli, args.words[0], path, &result);
    }
    if (err != AG_OK) {
        return err;
    }
    if (cli->out.json) {
        return out_json(&cli->out, result);
    }
    out_line(&cli->out, OUT_GOOD, "%s is back in %s (%lld bytes, mode %04llo)",
             out_member(result, "name"), out_member(result, "path"),
             (long long)out_member_int(result, "bytes"),
             (unsigned long long)out_member_int(result, "mode"));
    return AG_OK;
}
