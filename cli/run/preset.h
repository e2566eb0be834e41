/*
 * preset.h - what an isolated task is shown, as data: schema/presets/NAME.json.
 * Floor: cli/run. Depends on: wire/msg, profile/expand.
 *
 * Only shipped ones are read: a preset of the user's own could be written by
 * any program of the user's and would open what the shipped ones close.
 */
#ifndef AG_CLI_RUN_PRESET_H
#define AG_CLI_RUN_PRESET_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

enum {
    PRESET_FILE_MAX_BYTES = 64 * 1024, /* ours are below 8 KiB */
    PRESET_PATHS_MAX_COUNT = 256,
    PRESET_HOSTS_MAX_COUNT = 32,
};

/* The one that is meant when none is named. */
#define PRESET_DEFAULT "workspace"

enum preset_network {
    PRESET_NETWORK_BROKER, /* a loopback of its own, where the broker is */
    PRESET_NETWORK_NONE,   /* a loopback of its own */
};

enum preset_home {
    PRESET_HOME_LAYER, /* the person's to read; writes go to a layer above */
    PRESET_HOME_EMPTY, /* nothing of the person's */
};

/* Where the kernel allows no namespaces. */
enum preset_else {
    PRESET_ELSE_REFUSE,
    PRESET_ELSE_LANDLOCK, /* what run/fence can do, said and recorded */
};

/* A list as wire/msg decodes it. */
struct preset_texts {
    char **items;
    size_t count;
};

struct preset {
    int64_t preset; /* version of the format: 1 */
    char *name;
    char *title;
    int network;            /* enum preset_network */
    int home;               /* enum preset_home */
    int without_namespaces; /* enum preset_else */
    int64_t layer_mib;      /* the most that the layer, /tmp, … may hold */
    struct preset_texts system; /* absolute paths, read-only where there */
    struct preset_texts hide;   /* path templates (profile/expand.h) */
    struct preset_texts allow;  /* hosts, as --allow has them */
    struct preset_texts unset;  /* variables that lead to what is hidden */
};

/*
 * Decodes one preset from the bytes of its JSON.
 * Ownership: on AG_OK the caller calls preset_free().
 * Errors: AG_EINVAL with a sentence that names the field; AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err preset_decode(struct span json,
                                              struct preset **ret);

/*
 * Reads presets/NAME.json below `data_dir`.
 * Errors: AG_EUSAGE there is none of this name (the sentence lists them);
 *         those of preset_decode(), with the name.
 */
AG_CHECK AG_NONNULL enum ag_err
preset_load(const char *data_dir, const char *name, struct preset **ret);
void preset_free(struct preset *p);
AG_DEFINE_CLEANUP(preset, preset_free)

/* "broker", "none"; "layer", "empty": the words of the file. */
AG_CHECK const char *preset_network_word(enum preset_network network);
AG_CHECK const char *preset_home_word(enum preset_home home);

#endif
